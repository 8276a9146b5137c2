"""Whom a text is about: names, cashtags and exchange codes, found in one pass.

names ─► Aho-Corasick, whole words, longest first ─► of something else? ─► ambiguous? ─► evidence? ─┐
$GS, (NYSE: GS), GS.N ──────────────────────────────────────────────────────────────────────────────┴─► EntityMention

Evidence is the ticker or a legal form behind the name, or a word of the field near it: the next three words where
capitals prove nothing (title case, the first word, the end of a longer name), else eight words on either side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from streams.records import EntityMention
from streams.text.gazetteer import Issuer
from streams.text.profile import Evidence

__all__ = ["EntityLinker"]

_CASHTAG = re.compile(r"(?<![\w$])\$([A-Z]{1,5}(?:[.-][A-Z])?)(?![\w])")
# At least two letters: U.N. and U.K. are no instruments.
_INSTRUMENT = re.compile(r"(?<![\w.])([A-Z]{2,5})\.(?:N|O|OQ|K)(?![\w])")
_WORD = re.compile(r"[A-Za-z][A-Za-z.&]*")
_TICKER = re.compile(r"\s?\((?:[A-Za-z]{3,10}\s?:\s?)?([A-Z]{1,5}(?:[.-][A-Z])?)\)")
_NUMBER = re.compile(r"[\s-]?\d")
_CAPITAL_BEFORE = re.compile(r"(?<![\w’'.&-])([A-Z][\w&.-]*) $")
_SENTENCE_ENDS = '.!?:;–—|"“”(‘>\n'
_TITLE_RELEVANCE = 0.7
_TEXT_RELEVANCE = 0.3
_NEAR_WORDS = 3
_CLOSE_WORDS = 8
_CLOSE_CHARACTERS = 80
_SMALL_WORD = 3
_TITLE_CASE = 0.7


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
    """Finds a gazetteer's issuers. Names match case-sensitively, as whole words.

    `others` are names that contain an issuer's and mean something else: what they match is no issuer's.
    """

    def __init__(
        self, issuers: Iterable[Issuer], evidence: Evidence, exchanges: Sequence[str], others: Iterable[str] = ()
    ) -> None:
        self._evidence = frozenset(word.casefold() for word in evidence.words)
        self._suffixes = tuple(sorted(evidence.suffixes, key=len, reverse=True))
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
        others = [name for name in others if name not in known]
        self._patterns += others
        self._owners += [None] * len(others)
        self._automaton = AhoCorasick(self._patterns, matchkind=MatchKind.LeftmostLongest) if self._patterns else None
        names = "|".join(map(re.escape, exchanges))
        self._exchange = re.compile(rf"\((?:{names})\s?:\s?([A-Z]{{1,5}}(?:[.-][A-Z])?)\)") if exchanges else None

    def find(self, title: str, text: str) -> tuple[EntityMention, ...]:
        """The issuers that `title` and `text` name, most relevant first."""
        content = f"{title}\n{text}" if text else title
        hits = [*self._codes(content, len(title)), *self._names(content, len(title))]
        if not hits:
            return ()
        found: dict[str, _Found] = {}
        for hit in hits:
            entry = found.setdefault(hit.issuer.id, _Found(hit.issuer))
            entry.sure = entry.sure or hit.sure or self._has_evidence(content, len(title), hit)
            if not hit.in_title:
                entry.in_text += 1
            elif entry.first_in_title is None:
                entry.first_in_title = hit.start, hit.end
        mentions = [_mention(entry, len(title)) for entry in found.values() if entry.sure]
        return tuple(sorted(mentions, key=lambda mention: (-mention.relevance, mention.id)))

    def _codes(self, content: str, title_end: int) -> Iterable[_Hit]:
        matches: list[re.Match[str]] = []
        if "$" in content:
            matches += _CASHTAG.finditer(content)
        if self._exchange is not None and "(" in content:
            matches += self._exchange.finditer(content)
        if ".N" in content or ".O" in content or ".K" in content:
            matches += _INSTRUMENT.finditer(content)
        for match in matches:
            issuer = self._by_ticker.get(match[1])
            if issuer is not None:
                yield _Hit(issuer, match.start(), match.end(), match.start() < title_end, True)

    def _names(self, content: str, title_end: int) -> Iterable[_Hit]:
        if self._automaton is None:
            return
        for index, start, end in self._automaton.find_matches_as_indexes(content):
            owner = self._owners[index]
            if owner is None or not _whole(content, start, end):
                continue
            issuer, ambiguous = owner
            yield _Hit(issuer, start, end, start < title_end, not ambiguous)

    def _has_evidence(self, content: str, title_end: int, hit: _Hit) -> bool:
        """Whether an ambiguous name means the issuer here (see the module's text)."""
        rest = content[hit.end : hit.end + _CLOSE_CHARACTERS]
        ticker = _TICKER.match(rest)
        if (ticker and ticker[1] in hit.issuer.tickers) or rest.lstrip(" ,").startswith(self._suffixes):
            return True
        if _NUMBER.match(rest):  # RTX 4090, Q2 2008: a product, a quarter
            return False
        in_capitals = hit.in_title and (hit.start == 0 or _is_title_case(content[:title_end]))
        if in_capitals or self._ends_longer_name(content, hit.start):
            return self._is_evidence(_WORD.findall(rest)[:_NEAR_WORDS])
        before = _WORD.findall(content[max(hit.start - _CLOSE_CHARACTERS, 0) : hit.start])[-_CLOSE_WORDS:]
        return self._is_evidence(before + _WORD.findall(rest)[:_CLOSE_WORDS])

    def _is_evidence(self, words: Iterable[str]) -> bool:
        return not self._evidence.isdisjoint(word.casefold().strip(".") for word in words)

    def _ends_longer_name(self, content: str, start: int) -> bool:
        """Whether a capital stands right before it, as in Neiman Marcus, other than a sentence's first or evidence."""
        before = content[max(start - _CLOSE_CHARACTERS, 0) : start]
        word = _CAPITAL_BEFORE.search(before)
        if word is None or self._is_evidence([word[1]]):
            return False
        ahead = before[: word.start()].rstrip(" ")
        return bool(ahead) and ahead[-1] not in _SENTENCE_ENDS


def _is_title_case(title: str) -> bool:
    """Whether most longer words are capitalised, so that a capital is no sign of a name."""
    longer = [word for word in _WORD.findall(title) if len(word) > _SMALL_WORD]
    capitalised = [word for word in longer if word[0].isupper()]
    return len(capitalised) > _TITLE_CASE * len(longer)


def _whole(content: str, start: int, end: int) -> bool:
    """Whether a match is a whole word, not a part of one, of a handle or of an address."""
    before: str = content[start - 1] if start else " "
    after: str = content[end] if end < len(content) else " "
    open_left = not before.isalnum() and before not in "_@#$-&"
    in_number = before in ".," and content[start].isdigit()  # $11.3M names no 3M
    return open_left and not in_number and not after.isalnum() and after not in "_&"


def _mention(entry: _Found, title_length: int) -> EntityMention:
    """Relevance: a name in the title 0.7 to 1 by how early, one in the text alone 0.3 to 0.6 by how often."""
    if entry.first_in_title is not None:
        relevance = _TITLE_RELEVANCE + 0.3 * (1 - entry.first_in_title[0] / max(title_length, 1))
    else:
        relevance = _TEXT_RELEVANCE + 0.1 * min(entry.in_text, 3)
    return EntityMention(entry.issuer.id, entry.issuer.name, round(relevance, 3), entry.first_in_title)
