"""Stories: near-duplicates within seven days, found by MinHash banding and checked word by word.

A source partition has an index of its own; what it answers depends on the order of its items alone, so a
restart that restores the archived ones goes on as if nothing had happened.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Sequence
from sys import intern
from typing import Protocol

import msgspec

from streams.records import Story
from streams.scripts import is_unspaced
from streams.text.signature import PERMUTATIONS, minhash, normal_title
from streams.wall_clock import HOUR_MS

__all__ = ["StoryIndex", "StoryRow"]

SPANS_MS = {"12h": 12 * HOUR_MS, "24h": 24 * HOUR_MS, "3d": 72 * HOUR_MS, "5d": 120 * HOUR_MS, "7d": 168 * HOUR_MS}
LONGEST_MS = SPANS_MS["7d"]

SIMILAR = 0.6
"""Share of words in common (Jaccard) from which two titles tell one story."""

ROWS = 4
"""6 bands of 4 values: titles that share 60 % of their words meet with probability 0.56, 80 % with 0.96, 90 % with
0.998; those that share 30 % with 0.05, and each that meets costs a comparison."""

NEWEST = 8
"""Entries looked at in a band: common phrases fill bands with hundreds, and a copy follows soon or not at all."""


class StoryRow(Protocol):
    """An archived item, as far as an index needs it."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def seen_ms(self) -> int: ...
    @property
    def story_id(self) -> str: ...
    @property
    def duplicate_of(self) -> str | None: ...


class _Entry(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An indexed item."""

    id: str
    story: Story
    seen_ms: int
    words: frozenset[str]
    bands: tuple[int, ...]


class StoryIndex:
    """Bounded: the oldest entry goes when `capacity` is passed. `opposites` are pairs of words that contradict.

    Those of a script without spaces are looked for in the running title, whose words are its characters.
    """

    def __init__(self, capacity: int, opposites: Sequence[tuple[str, str]] = ()) -> None:
        self._capacity = capacity
        self._opposites = frozenset(word.casefold() for pair in opposites for word in pair)
        self._running = tuple(sorted(word for word in self._opposites if len(word) > 1 and is_unspaced(word[0])))
        self._order: deque[_Entry] = deque()
        self._by_id: dict[str, _Entry] = {}
        self._by_band: dict[int, tuple[_Entry, ...]] = {}
        self._times: dict[str, list[int]] = {}

    def assign(self, item_id: str, words: list[str], seen_ms: int) -> Story:
        """The story of an item whose title has these words (`normal_title`). A known id adds nothing."""
        known = self._by_id.get(item_id)
        if known is not None:
            return known.story
        bands = self._bands(words)
        known_words = frozenset(map(intern, words))
        best = self._nearest(known_words, bands, seen_ms)
        story_id = best.story.id if best is not None else item_id
        story = Story(
            id=story_id,
            duplicate_of=best.id if best is not None else None,
            similar=self._similar(story_id, seen_ms),
        )
        self._insert(_Entry(item_id, story, seen_ms, known_words, bands))
        return story

    def restore(self, rows: Iterable[StoryRow]) -> None:
        """Take in archived items, oldest first, with the stories that they had."""
        for row in rows:
            if row.id not in self._by_id:
                story = Story(row.story_id, row.duplicate_of)
                words = normal_title(row.title)
                self._insert(_Entry(row.id, story, row.seen_ms, frozenset(map(intern, words)), self._bands(words)))

    def __len__(self) -> int:
        return len(self._order)

    def _bands(self, words: list[str]) -> tuple[int, ...]:
        """Keys under which the title meets its copies: band, three MinHash values, and the marks.

        Marks are the words that a copy must share: numbers, and verbs with opposites. Titles that differ in one
        never meet, however like they are.
        """
        marked = [word for word in words if not word.isalpha() or word in self._opposites]
        if self._running:
            title = "".join(words)
            marked += [word for word in self._running if word in title]
        marks = hash(frozenset(marked))
        values = minhash(words)
        rows = (values[row::ROWS] for row in range(ROWS))
        return tuple(map(hash, zip(range(marks, marks + PERMUTATIONS // ROWS), *rows, strict=True)))

    def _nearest(self, words: frozenset[str], bands: tuple[int, ...], seen_ms: int) -> _Entry | None:
        candidates = dict.fromkeys([entry for band in bands for entry in self._by_band.get(band, ())])
        best, best_share = None, 0.0
        for entry in candidates:
            if abs(seen_ms - entry.seen_ms) > LONGEST_MS:
                continue
            common = len(words & entry.words)
            share = common / (len(words) + len(entry.words) - common or 1)
            if share >= SIMILAR and share > best_share:
                best, best_share = entry, share
        return best

    def _similar(self, story_id: str, seen_ms: int) -> dict[str, int]:
        times = self._times.get(story_id)
        if not times:
            return {}
        upto = bisect_left(times, seen_ms + 1)
        return {name: upto - bisect_left(times, seen_ms - span) for name, span in SPANS_MS.items()}

    def _insert(self, entry: _Entry) -> None:
        self._order.append(entry)
        self._by_id[entry.id] = entry
        for band in entry.bands:
            entries = self._by_band.get(band)
            self._by_band[band] = (entry,) if entries is None else (*entries, entry)[-NEWEST:]
        insort(self._times.setdefault(entry.story.id, []), entry.seen_ms)
        if len(self._order) > self._capacity:
            self._remove(self._order.popleft())

    def _remove(self, entry: _Entry) -> None:
        del self._by_id[entry.id]
        for band in entry.bands:
            entries = self._by_band[band]
            if entries[0] is entry:  # else newer ones have already taken its place
                if len(entries) == 1:
                    del self._by_band[band]
                else:
                    self._by_band[band] = entries[1:]
        times = self._times[entry.story.id]
        times.remove(entry.seen_ms)
        if not times:
            del self._times[entry.story.id]
