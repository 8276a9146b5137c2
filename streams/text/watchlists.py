"""Watchlists: what a user wants to hear of, in names, tickers, terms and entities.

    watchlists:
      - name: svb                       # the series is watchlist/svb
        names: [Silicon Valley Bank]
        aliases: [SVB]                  # more names; kept apart for the reader's sake
        tickers: [SIVB]
        terms: [bank run]               # words or phrases, in any case
        entities: [JPM]                 # ids of the gazetteer
        all: [deposits]                 # and every one of these
        not: [sports]                   # and none of these
        title_only: false
        ignore_sources: [example.org]

An item matches when one of names, tickers, terms or entities is in it, all of `all`, and none of `not`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from ahocorasick_rs import AhoCorasick, MatchKind

from streams.scripts import continues
from streams.userfiles import Mistake, read_file, shaped

__all__ = ["Watchlist", "WatchlistMatcher", "load_watchlists", "watchlist_of"]

_NAME = re.compile(r"[\w][\w .&-]{0,60}")


class Watchlist(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"without": "not", "every": "all"}):
    """One list, as in its YAML."""

    name: str
    names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    tickers: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    every: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    title_only: bool = False
    ignore_sources: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """What names the list's subject, apart from tickers and entities."""
        return (*self.names, *self.aliases, *self.terms)

    def mistakes(self) -> Iterator[Mistake]:
        """Yields what its types cannot say."""
        if not _NAME.fullmatch(self.name) or not self.name.strip():
            yield ("name",), "take letters, digits, spaces, '.', '&', '-', at most 61"
        if not (self.words or self.tickers or self.entities):
            yield (), "without names, tickers, terms or entities nothing can match; write some"
        if any(not word.strip() for word in (*self.words, *self.tickers, *self.every, *self.without)):
            yield (), "an entry of its lists is empty; remove it"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    watchlists: Annotated[tuple[Watchlist, ...], msgspec.Meta(min_length=1)]


def load_watchlists(path: Path) -> tuple[Watchlist, ...]:
    """Returns the lists of a YAML file. Raises `SettingsError` naming the file and each mistake: line, key and fix."""
    file = read_file(path)
    found = shaped(file, _File)
    lists = found.watchlists if found is not None else ()
    used = Counter(one.name for one in lists)
    for one in {one.name: one for one in lists if used[one.name] > 1}.values():
        text = f"{used[one.name]} watchlists are called {one.name!r}; give each a name of its own"
        file.problem_in(one, ("name",), text)
    file.refuse()
    return tuple(map(_as_cleaned, lists))


def watchlist_of(name: str, body: Mapping[str, Any]) -> Watchlist:
    """Returns the list whose entry, but for its name, a program gives. Raises `ValueError` for a mistake in it."""
    try:
        found = msgspec.convert({**body, "name": name}, Watchlist)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    for _, problem in found.mistakes():
        raise ValueError(problem)
    return _as_cleaned(found)


def _as_cleaned(one: Watchlist) -> Watchlist:
    """The list with its words spelt as in cleaned texts."""
    fields = ("names", "aliases", "tickers", "terms", "every", "without")
    return msgspec.structs.replace(one, **{field: tuple(map(_spelt, getattr(one, field))) for field in fields})


def _spelt(word: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", word).split())


class WatchlistMatcher:
    """Matches all lists in one pass over the text as it is written and one over its lower case."""

    def __init__(self, lists: Iterable[Watchlist]) -> None:
        self._lists = tuple(lists)
        exact = {word for one in self._lists for word in _exact(one)}
        loose = {word.casefold() for one in self._lists for word in _loose(one)}
        self._exact = _Words(sorted(exact))
        self._loose = _Words(sorted(loose))

    def match(self, title: str, text: str, entity_ids: Collection[str], source: str) -> tuple[str, ...]:
        """Names of the lists that the item matches, sorted."""
        if not self._lists:
            return ()
        in_title = self._found(title)
        anywhere = in_title | self._found(text) if text else in_title
        return tuple(
            sorted(
                one.name
                for one in self._lists
                if source not in one.ignore_sources
                and _matches(one, in_title if one.title_only else anywhere, entity_ids)
            )
        )

    def _found(self, text: str) -> set[str]:
        return self._exact.found(text) | {f"~{word}" for word in self._loose.found(text.casefold())}


class _Words:
    """Which of some words and phrases are in a text, as whole words."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._automaton = AhoCorasick(words, matchkind=MatchKind.Standard) if words else None

    def found(self, text: str) -> set[str]:
        if self._automaton is None or not text:
            return set()
        return {
            self._words[index]
            for index, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True)
            if not (start and continues(text[start], text[start - 1]))
            and not (end < len(text) and continues(text[end - 1], text[end]))
        }


def _is_exact(name: str) -> bool:
    """SVB and eBay are names only as they are spelt; Silicon Valley Bank is one in any case."""
    return " " not in name and not name.istitle() and not name.islower()


def _exact(one: Watchlist) -> set[str]:
    words = {name for name in (*one.words, *one.every, *one.without) if _is_exact(name)}
    return words | set(one.tickers)


def _loose(one: Watchlist) -> set[str]:
    return {name for name in (*one.words, *one.every, *one.without) if not _is_exact(name)}


def _key(word: str) -> str:
    return word if _is_exact(word) else f"~{word.casefold()}"


def _matches(one: Watchlist, found: set[str], entity_ids: Collection[str]) -> bool:
    named = any(_key(word) in found for word in one.words) or any(ticker in found for ticker in one.tickers)
    if not named and not any(entity in entity_ids for entity in one.entities):
        return False
    return all(_key(word) in found for word in one.every) and not any(_key(word) in found for word in one.without)
