"""Event time: its limit, the watermark over all source partitions, and the schedule of what falls due at which tick."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streams.wall_clock import wall_clock_ms

__all__ = ["ClockLimit", "Schedule", "watermark_ms"]


@dataclass(frozen=True, slots=True)
class ClockLimit:
    """How far event time may go while a stream is live: `ahead_ms` beyond this worker's clock (ms), whoever says more.

    A record may claim any time. Items keep the time that they claim, so a redo counts them alike; what is limited is
    the progress that they report, so that no clock but the worker's own closes ticks.
    """

    ahead_ms: int
    clock: Callable[[], int] = wall_clock_ms

    def latest_ms(self) -> int:
        return self.clock() + self.ahead_ms


def watermark_ms(
    progress: Mapping[int, int], partitions: int, lateness_ms: int, longest_hold_ms: int | None = None
) -> int | None:
    """The time up to which everything has been heard; None while a source partition has not spoken at all.

    `progress` maps source partition to its progress in ms; `partitions` is how many the source topic has now, and what
    it no longer has counts for nothing. An owner that has read to the end goes on reporting progress, so a quiet
    partition does not hold the watermark and a dead owner does: until it is `longest_hold_ms` behind the one that is
    farthest (None: for ever). What it brings later is late.
    """
    heard = [ms for partition, ms in progress.items() if partition < partitions]
    if len(heard) < partitions:
        return None
    heard_ms = min(heard)
    if longest_hold_ms is not None:
        heard_ms = max(heard_ms, max(heard) - longest_hold_ms)
    return heard_ms - lateness_ms


class Schedule:
    """Which series need a look at which tick; a set of (tick, series) in order of tick, then series."""

    __slots__ = ("_heap", "_known")

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._known: set[tuple[int, str]] = set()

    def add(self, tick_ms: int, series: str) -> None:
        entry = (tick_ms, series)
        if entry not in self._known:
            self._known.add(entry)
            heapq.heappush(self._heap, entry)

    def first(self) -> int | None:
        """The earliest tick at which something falls due."""
        return self._heap[0][0] if self._heap else None

    def take(self, tick_ms: int) -> list[str]:
        """Take out what falls due up to and including `tick_ms`."""
        names = []
        while self._heap and self._heap[0][0] <= tick_ms:
            entry = heapq.heappop(self._heap)
            self._known.discard(entry)
            names.append(entry[1])
        return names

    def __len__(self) -> int:
        return len(self._heap)
