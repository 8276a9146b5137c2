"""Whether a name that is also a word means the entity where it was found.

A ticker in brackets or a legal form right behind the name proves it, else a word of the field near it. Near is, in
text with spaces, the next three words where capitals prove nothing (title case, the first word, the end of a longer
name), else eight words on either side; in text without spaces it is 20 characters on either side.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Protocol

from streams.text.language_settings import LanguageSettings

__all__ = ["NameEvidence", "evidence_of"]

_WORD = re.compile(r"[A-Za-z][A-Za-z.&]*")
_NUMBER = re.compile(r"[\s-]?\d")
_CAPITAL_BEFORE = re.compile(r"(?<![\w’'.&-])([A-Z][\w&.-]*) $")
_SENTENCE_ENDS = '.!?:;–—|"“”(‘>\n'
_NEAR_WORDS = 3
_CLOSE_WORDS = 8
_CLOSE_CHARACTERS = 80
_CLOSE_UNSPACED = 20
_SMALL_WORD = 3
_TITLE_CASE = 0.7


class NameEvidence(Protocol):
    """What a language asks of a name that is also a word."""

    def proves(self, content: str, title_end: int, span: tuple[int, int], tickers: Collection[str]) -> bool:
        """Whether the name at `span` of `content`, whose title ends at `title_end`, means the entity with `tickers`."""


def evidence_of(language: LanguageSettings) -> NameEvidence:
    """The evidence as the language's words are written."""
    return _Unspaced(language) if language.words == "characters" else _Spaced(language)


class _Behind:
    """What stands right behind the name: (NYSE: GS), (GS), Inc."""

    def __init__(self, language: LanguageSettings) -> None:
        evidence = language.evidence
        self._suffixes = tuple(sorted(evidence.suffixes, key=len, reverse=True))
        in_brackets = rf"\s?\((?:[A-Za-z]{{3,10}}\s?:\s?)?({evidence.ticker})\)"
        self._ticker = re.compile(in_brackets) if evidence.ticker else None

    def proves(self, rest: str, tickers: Collection[str]) -> bool:
        ticker = self._ticker.match(rest) if self._ticker is not None else None
        return (ticker is not None and ticker[1] in tickers) or rest.lstrip(" ,").startswith(self._suffixes)


class _Spaced:
    def __init__(self, language: LanguageSettings) -> None:
        self._behind = _Behind(language)
        self._words = frozenset(word.casefold() for word in language.evidence.words)
        self._capitals = language.capitals

    def proves(self, content: str, title_end: int, span: tuple[int, int], tickers: Collection[str]) -> bool:
        start, end = span
        rest = content[end : end + _CLOSE_CHARACTERS]
        if self._behind.proves(rest, tickers):
            return True
        if _NUMBER.match(rest):  # RTX 4090, Q2 2008: a product, a quarter
            return False
        behind = _WORD.findall(rest)
        if self._capitals and self._capital_proves_nothing(content, title_end, start):
            return self._any(behind[:_NEAR_WORDS])
        before = _WORD.findall(content[max(start - _CLOSE_CHARACTERS, 0) : start])
        return self._any(before[-_CLOSE_WORDS:] + behind[:_CLOSE_WORDS])

    def _any(self, words: Iterable[str]) -> bool:
        return not self._words.isdisjoint(word.casefold().strip(".") for word in words)

    def _capital_proves_nothing(self, content: str, title_end: int, start: int) -> bool:
        in_title = start < title_end
        if in_title and (start == 0 or _is_title_case(content[:title_end])):
            return True
        return self._ends_longer_name(content, start)

    def _ends_longer_name(self, content: str, start: int) -> bool:
        """Whether a capital is right before it, as in Neiman Marcus, other than a sentence's first or evidence."""
        before = content[max(start - _CLOSE_CHARACTERS, 0) : start]
        word = _CAPITAL_BEFORE.search(before)
        if word is None or self._any([word[1]]):
            return False
        ahead = before[: word.start()].rstrip(" ")
        return bool(ahead) and ahead[-1] not in _SENTENCE_ENDS


class _Unspaced:
    def __init__(self, language: LanguageSettings) -> None:
        self._behind = _Behind(language)
        self._words = tuple(word.casefold() for word in language.evidence.words)

    def proves(self, content: str, title_end: int, span: tuple[int, int], tickers: Collection[str]) -> bool:  # noqa: ARG002  # no capitals, so titles are like text
        start, end = span
        if self._behind.proves(content[end : end + _CLOSE_CHARACTERS], tickers):
            return True
        before = content[max(start - _CLOSE_UNSPACED, 0) : start].casefold()
        behind = content[end : end + _CLOSE_UNSPACED].casefold()
        return any(word in before or word in behind for word in self._words)


def _is_title_case(title: str) -> bool:
    """Whether most longer words are capitalised, so that a capital is no sign of a name."""
    longer = [word for word in _WORD.findall(title) if len(word) > _SMALL_WORD]
    capitalised = [word for word in longer if word[0].isupper()]
    return len(capitalised) > _TITLE_CASE * len(longer)
