"""What a profile says of one language; checked once, at start-up.

languages:
  en:
    classifier: finance-en-minilm-int8    # a shipped model, or a model's folder beside the profile
    words: spaces                         # or characters, where no spaces are written between words
    capitals: true                        # a capital marks a name
    gazetteer: gazetteer.csv              # or {file: …, columns: {id: …, name: …}}
    other_names: [Port of Dover]          # contain an entity's name and mean something else
    evidence:                             # shows that a name that is also a word means the entity
      suffixes: [Inc]                     # right behind the name
      words: [shares]                     # near it
      ticker: '[A-Z]{1,5}'                # in brackets right behind the name
      exchanges: [NYSE]                   # (NYSE: GS) names the entity with that ticker wherever it occurs
      codes: ['[0-9]{6}\\.(?:SH|SZ|BJ)']   # so does what such a pattern finds
    opposites: [[rises, falls]]           # two titles that differ in one of these tell different stories

Scripts where words run together need no setting for names and search: Chinese and Japanese, Korean, whose particles
follow a name without a space. In Thai, Lao, Khmer and Burmese names are found; full-text search is not reliable
there (marks above and below letters split words), so look for items by entity or watchlist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from streams.userfiles import Mistake

__all__ = ["Code", "Evidence", "GazetteerFile", "LanguageSettings", "language_mistakes"]

_LANGUAGE = re.compile(r"[a-z]{2}")


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a ticker is written in running text: the group `ticker` of `pattern`, or all that it finds.

    A text without any of `signs` is not searched, which saves most of the time where codes are rare.
    """

    pattern: str
    signs: tuple[str, ...] = ()


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shows that a name that is also a word means the entity, and how tickers are written."""

    suffixes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    ticker: str | None = None
    exchanges: tuple[str, ...] = ()
    codes: tuple[str | Code, ...] = ()

    def mistakes(self) -> Iterator[Mistake]:
        """Yields what its types cannot say."""
        patterns = [("codes", one if isinstance(one, str) else one.pattern) for one in self.codes]
        patterns += [("ticker", self.ticker)] if self.ticker is not None else []
        for key, pattern in patterns:
            if problem := _problem_of(pattern):
                yield (key,), problem
        if self.exchanges and self.ticker is None:
            yield ("exchanges",), "say with the key `ticker` how a ticker is written behind them"


class GazetteerFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A gazetteer with columns of its own: `columns` maps our names of columns to the file's, which may have more."""

    file: str
    columns: dict[str, str] = {}


class LanguageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language of a profile. Items of a language without a classifier are archived, unscored."""

    classifier: str | None = None
    words: Literal["spaces", "characters"] = "spaces"
    capitals: bool = False
    gazetteer: str | GazetteerFile | None = None
    other_names: tuple[str, ...] = ()
    evidence: Evidence = Evidence()
    opposites: tuple[tuple[str, str], ...] = ()


def language_mistakes(languages: Mapping[str, LanguageSettings], default: str) -> Iterator[Mistake]:
    """Yields what is wrong with the codes of languages."""
    if default not in languages:
        yield ("languages",), f"describe {default!r}, the default_language"
    for code in languages:
        if not _LANGUAGE.fullmatch(code):
            yield ("languages", code), f"{code!r} is no language; take two letters such as 'en'"


def _problem_of(pattern: str) -> str:
    """What is wrong with a regular expression, empty if nothing is."""
    try:
        found = re.compile(pattern).match("")
    except re.error as error:
        return f"{pattern!r} is no regular expression: {error}; correct it"
    return f"{pattern!r} also matches nothing at all; describe a whole code" if found is not None else ""
