"""Codes that name an entity by its ticker in running text: $GS, (NYSE: GS), GS.N, 600519.SH."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from streams.scripts import continues
from streams.text.language_settings import Code, Evidence

__all__ = ["CodeFinder", "FoundCode"]

_GROUP = "ticker"


class FoundCode(NamedTuple):
    """A ticker, and where its code was found: characters [start, end)."""

    ticker: str
    start: int
    end: int


class CodeFinder:
    """Finds the codes that a language's evidence describes, pattern by pattern."""

    def __init__(self, evidence: Evidence) -> None:
        codes = [one if isinstance(one, Code) else Code(one) for one in evidence.codes]
        if evidence.exchanges:
            names = "|".join(map(re.escape, evidence.exchanges))
            codes.append(Code(rf"\((?:{names})\s?:\s?(?P<{_GROUP}>{evidence.ticker})\)", ("(",)))
        self._patterns = [(re.compile(one.pattern), one.signs) for one in codes]

    def find(self, content: str) -> Iterator[FoundCode]:
        """Each code that no letter or digit continues."""
        for pattern, signs in self._patterns:
            if signs and not any(sign in content for sign in signs):
                continue
            group = _GROUP if _GROUP in pattern.groupindex else 0
            for match in pattern.finditer(content):
                start, end = match.span()
                if not _continued(content, start, end):
                    yield FoundCode(match[group], start, end)


def _continued(content: str, start: int, end: int) -> bool:
    """Whether a word goes on before or behind a code; one that ends in a sign such as a bracket ends there."""
    first, last = content[start], content[end - 1]
    before = start > 0 and first.isalnum() and continues(first, content[start - 1])
    return before or (end < len(content) and last.isalnum() and continues(last, content[end]))
