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

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec
from ahocorasick_rs import AhoCorasick, MatchKind

from streams.errors import SettingsError
from streams.scripts import continues
from streams.text.profile import read_yaml

__all__ = ["Watchlist", "WatchlistMatcher", "load_watchlists"]

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


_KEYS = [field.encode_name for field in msgspec.structs.fields(Watchlist)]


def load_watchlists(path: Path) -> tuple[Watchlist, ...]:
    """The lists of a YAML file. Raises `SettingsError` naming the file, the list, the key and the fix."""
    raw = read_yaml(path).get("watchlists")
    if not isinstance(raw, list) or not raw:
        raise SettingsError(f"{path}: the key `watchlists` must hold a list of watchlists")
    lists = tuple(_watchlist(entry, number, path) for number, entry in enumerate(raw, 1))
    names = [one.name for one in lists]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"{path}: two watchlists are called {name!r}; give each a name of its own")
    return lists


def _watchlist(entry: object, number: int, path: Path) -> Watchlist:
    label = entry.get("name", f"number {number}") if isinstance(entry, dict) else f"number {number}"
    where = f"{path}: watchlist {label}"
    if isinstance(entry, dict):
        for key in entry:
            if key not in _KEYS:
                near = difflib.get_close_matches(str(key), _KEYS, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"take {', '.join(_KEYS)}"
                raise SettingsError(f"{where}: there is no key {key!r}; {hint}")
    try:
        one = msgspec.convert(entry, Watchlist)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {error}") from error
    if not _NAME.fullmatch(one.name) or not one.name.strip():
        raise SettingsError(f"{where}: name: take letters, digits, spaces, '.', '&', '-', at most 61")
    if not (one.words or one.tickers or one.entities):
        raise SettingsError(f"{where}: give it names, tickers, terms or entities; else nothing can match")
    if any(not word.strip() for word in (*one.words, *one.tickers, *one.every, *one.without)):
        raise SettingsError(f"{where}: an entry is empty; take it out")
    return _as_cleaned(one)


def _as_cleaned(one: Watchlist) -> Watchlist:
    """The list with its words spelt as in cleaned texts."""
    fields = ("names", "aliases", "tickers", "terms", "every", "without")
    return msgspec.structs.replace(one, **{field: tuple(map(_spelt, getattr(one, field))) for field in fields})


def _spelt(word: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", word).split())


class WatchlistMatcher:
    """Matches all lists in one pass over the text as it stands and one over its lower case."""

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
    """Which of some words and phrases stand in a text, as whole words."""

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
