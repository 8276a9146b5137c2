"""Series against what was expected of them in a time: the surprising ones first.

archive.hour_sums, up to the last hour that `watch` closed ─┬─► Moved ─► by surprise
archive.top, of the hour that is open ──────────────────────┘
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.bands import Band, band_from, tail_of
from streams.archive.protocol import Archive, Count, SeriesSum
from streams.board.reading.spans import Span
from streams.wall_clock import HOUR_MS

__all__ = ["MOST_SERIES", "Moved", "Watched", "closed_until", "moved_in", "open_counts"]

MOST_SERIES: Final = 1_000
"""Those with the most hits: a series behind them surprises nobody."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Which series: of these kinds, for a signal. `everything` is the series of all items, a kind of its own."""

    kinds: Sequence[str]
    signal: str
    everything: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A series in a time; `expected` hits are None without enough history, and then nothing surprises."""

    series: str
    total: int
    hits: int
    expected: float | None = None
    excess: float = 0.0

    @property
    def surprise(self) -> float:
        """Digits of the improbability of so many hits: 3 is one in a thousand; 0 for no more than expected."""
        if self.expected is None or self.hits <= self.expected:
            return 0.0
        return -math.log10(tail_of(self.hits, self.expected, self.excess))

    @property
    def band(self) -> Band | None:
        """What was expected; 50 µs, so it is asked for the rows that are shown."""
        return None if self.expected is None else band_from(self.expected, self.excess)


async def closed_until(archive: Archive, watched: Watched, span: Span) -> int:
    """Returns up to when the time's hours are archived; its start where none is."""
    rows = await archive.hours([watched.everything], watched.signal, span.since_ms, span.until_ms)
    return min(rows[-1].start_ms + HOUR_MS, span.until_ms) if rows else span.since_ms


async def moved_in(archive: Archive, watched: Watched, span: Span) -> list[Moved]:
    """Returns the series with items in the time, the most surprising first, then those with the most hits."""
    closed_ms = await closed_until(archive, watched, span)
    sums = await _closed(archive, watched, Span(span.since_ms, closed_ms))
    counts: dict[str, Count] = {}
    for kind in watched.kinds:
        counts |= await open_counts(archive, watched, kind, closed_ms, span.until_ms)
    hours = (span.until_ms - span.since_ms) / HOUR_MS
    moved = [_moved(name, sums.get(name), counts.get(name), hours) for name in {*sums, *counts}]
    return sorted(moved, key=lambda one: (-one.surprise, -one.hits, -one.total, one.series))


async def _closed(archive: Archive, watched: Watched, span: Span) -> dict[str, SeriesSum]:
    """Several kinds are asked for at once: each look reads the hours of all."""
    kind = watched.kinds[0] if len(watched.kinds) == 1 else ""
    found = await archive.hour_sums(kind, watched.signal, span.since_ms, span.until_ms, MOST_SERIES)
    return {one.series: one for one in found if one.series.partition("/")[0] in watched.kinds}


async def open_counts(
    archive: Archive, watched: Watched, kind: str, since_ms: int, until_ms: int
) -> Mapping[str, Count]:
    """Returns by series of a kind what is not archived by hours yet, copies too."""
    if since_ms >= until_ms:
        return {}
    if kind == watched.everything:
        rates = await archive.rates(kind, watched.signal, since_ms, until_ms, HOUR_MS)
        total, hits = sum(rate.total for rate in rates), sum(rate.hits for rate in rates)
        return {kind: Count(kind, total, hits)} if total else {}
    found = await archive.top(kind, watched.signal, since_ms, until_ms, MOST_SERIES)
    return {f"{kind}/{one.name}": one for one in found}


def _moved(series: str, closed: SeriesSum | None, now: Count | None, hours: float) -> Moved:
    """Silent hours have no row where the series is a quiet one: they are expected to be as its others."""
    total = (closed.total if closed else 0) + (now.total if now else 0)
    hits = (closed.hits if closed else 0) + (now.hits if now else 0)
    if closed is None or not closed.hours:
        return Moved(series, total, hits)
    scale = hours / closed.hours
    return Moved(series, total, hits, scale * closed.expected, scale * closed.excess)
