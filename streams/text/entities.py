"""Whom a text is about: names, cashtags and exchange codes, found in one pass.

names ─► Aho-Corasick, whole words, longest first ─► of something else? ─► ambiguous? ─► evidence? ─┐
codes such as $GS, (NYSE: GS), 600519.SH ───────────────────────────────────────────────────────────┴─► EntityMention

How codes are written, and what counts as evidence, is what the profile says of the text's language.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from streams.records import EntityMention
from streams.scripts import continues
from streams.text.codes import CodeFinder
from streams.text.evidence import evidence_of
from streams.text.gazetteer import Issuer
from streams.text.language_settings import LanguageSettings

__all__ = ["EntityLinker"]

_TITLE_RELEVANCE = 0.7
_TEXT_RELEVANCE = 0.3


@dataclass(slots=True)
class _Found:
    """Where an issuer was found; `sure` once evidence is there or none is needed."""

    issuer: Issuer
    first_in_title: tuple[int, int] | None = None
    in_text: int = 0
    sure: bool = False


class _Hit(NamedTuple):
    issuer: Issuer
    start: int
    end: int
    in_title: bool
    sure: bool


class EntityLinker:
    """Finds a gazetteer's issuers in texts of one language. Names match case-sensitively, as whole words.

    The language's `other_names` contain an issuer's and mean something else: what they match is no issuer's.
    """

    def __init__(self, issuers: Iterable[Issuer], language: LanguageSettings) -> None:
        self._evidence = evidence_of(language)
        self._code_finder = CodeFinder(language.evidence)
        self._by_ticker: dict[str, Issuer] = {}
        self._patterns: list[str] = []
        self._owners: list[tuple[Issuer, bool] | None] = []
        known: dict[str, int] = {}
        for issuer in issuers:
            for ticker in issuer.tickers:
                self._by_ticker.setdefault(ticker, issuer)
            for name in issuer.names:
                if name in known:  # two issuers of one name: nobody can tell which, so it needs a ticker
                    continue
                known[name] = len(self._patterns)
                self._patterns.append(name)
                self._owners.append((issuer, name in issuer.ambiguous))
        others = [name for name in language.other_names if name not in known]
        self._patterns += others
        self._owners += [None] * len(others)
        self._automaton = AhoCorasick(self._patterns, matchkind=MatchKind.LeftmostLongest) if self._patterns else None

    def find(self, title: str, text: str) -> tuple[EntityMention, ...]:
        """The issuers that `title` and `text` name, most relevant first."""
        content = f"{title}\n{text}" if text else title
        title_end = len(title)
        hits = [*self._codes(content, title_end), *self._names(content, title_end)]
        if not hits:
            return ()
        found: dict[str, _Found] = {}
        for hit in hits:
            issuer = hit.issuer
            entry = found.setdefault(issuer.id, _Found(issuer))
            span = hit.start, hit.end
            entry.sure = entry.sure or hit.sure or self._evidence.proves(content, title_end, span, issuer.tickers)
            if not hit.in_title:
                entry.in_text += 1
            elif entry.first_in_title is None:
                entry.first_in_title = span
        mentions = [_mention(entry, title_end) for entry in found.values() if entry.sure]
        return tuple(sorted(mentions, key=lambda mention: (-mention.relevance, mention.id)))

    def _codes(self, content: str, title_end: int) -> Iterable[_Hit]:
        for code in self._code_finder.find(content):
            issuer = self._by_ticker.get(code.ticker)
            if issuer is not None:
                yield _Hit(issuer, code.start, code.end, code.start < title_end, True)

    def _names(self, content: str, title_end: int) -> Iterable[_Hit]:
        if self._automaton is None:
            return
        for index, start, end in self._automaton.find_matches_as_indexes(content):
            owner = self._owners[index]
            if owner is None or not _whole(content, start, end):
                continue
            issuer, ambiguous = owner
            yield _Hit(issuer, start, end, start < title_end, not ambiguous)


def _whole(content: str, start: int, end: int) -> bool:
    """Whether a match is a whole word, not a part of one, of a handle or of an address."""
    before: str = content[start - 1] if start else " "
    after: str = content[end] if end < len(content) else " "
    open_left = not continues(content[start], before) and before not in "_@#$-&"
    in_number = before in ".," and content[start].isdigit()  # $11.3M names no 3M
    return open_left and not in_number and not continues(content[end - 1], after) and after not in "_&"


def _mention(entry: _Found, title_length: int) -> EntityMention:
    """Relevance: a name in the title 0.7 to 1 by how early, one in the text alone 0.3 to 0.6 by how often."""
    if entry.first_in_title is not None:
        relevance = _TITLE_RELEVANCE + 0.3 * (1 - entry.first_in_title[0] / max(title_length, 1))
    else:
        relevance = _TEXT_RELEVANCE + 0.1 * min(entry.in_text, 3)
    return EntityMention(entry.issuer.id, entry.issuer.name, round(relevance, 3), entry.first_in_title)
