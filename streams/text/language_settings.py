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
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from streams.errors import SettingsError

__all__ = ["Code", "Evidence", "GazetteerFile", "LanguageSettings", "check_languages"]

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


def check_languages(languages: dict[str, LanguageSettings], default: str, where: str) -> None:
    """Raises `SettingsError` naming the file `where`, the key and the fix."""
    if default not in languages:
        raise SettingsError(f"{where}: languages: describe {default!r}, the default_language")
    for code, language in languages.items():
        if not _LANGUAGE.fullmatch(code):
            raise SettingsError(f"{where}: languages: {code!r} is no language; take two letters such as 'en'")
        _check_patterns(language.evidence, f"{where}: languages: {code}: evidence")


def _check_patterns(evidence: Evidence, where: str) -> None:
    patterns = [("codes", one if isinstance(one, str) else one.pattern) for one in evidence.codes]
    patterns += [("ticker", evidence.ticker)] if evidence.ticker is not None else []
    for key, pattern in patterns:
        try:
            found = re.compile(pattern).match("")
        except re.error as error:
            raise SettingsError(f"{where}: {key}: {pattern!r} is no regular expression: {error}") from error
        if found is not None:
            raise SettingsError(f"{where}: {key}: {pattern!r} also matches nothing at all; describe a whole code")
    if evidence.exchanges and evidence.ticker is None:
        raise SettingsError(f"{where}: exchanges: say with the key `ticker` how a ticker is written behind them")
