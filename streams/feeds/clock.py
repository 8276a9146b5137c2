"""The clock of a replay: which of a file's dates may be believed.

A replay has no entrance where `seen` could be stamped; an item's own date serves, if its neighbours in the file
bear it out. One nonsense date must not move every window, so a date far from the median of the 15 lines on
either side gives way to that median. In a file that is sorted, or shuffled within hours, the median lies beside
each item, and every believable date is taken exactly as it is, whatever order the lines came in.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise

from streams.wall_clock import DAY_MS

__all__ = ["NEIGHBOURS", "stamp"]

NEIGHBOURS = 15  # lines on either side: half of 31 may be wrong before the median is
_TOLERANCE_MS = DAY_MS
# At a file's ends there are neighbours on one side only, and a weekend may lie between them.
_EDGE_TOLERANCE_MS = 7 * DAY_MS
_TOLERATED_GAPS = 20  # a file with an item a week is believed about far larger jumps
_TOLERATED_MIDDLES = (
    6  # a window that straddles a jump is wide in its middle third, and a few wrong dates do not make it so
)
_FEWEST_FOR_MIDDLE = 8
_LONGEST_WAIT_LINES = 2_000  # for the first date of a file that begins without any


def stamp(dates: Iterable[int | None], *, now_ms: int, neighbours: int = NEIGHBOURS) -> Iterator[int]:
    """Yields one `seen` (UTC epoch milliseconds) per date, in order, reading at most 2,000 dates ahead.

    Ordinary dates come back unchanged. A date that is absent, over a day after `now_ms` or far from its
    neighbours becomes the local clock: the median around it, or the last known one, or `now_ms` when a file
    names no date at all.
    """
    window = _Window(neighbours)
    latest_ms = now_ms + DAY_MS
    for date in dates:
        window.push(date if date is not None and 0 <= date <= latest_ms else None)
        while window.ready():
            yield window.pop(now_ms)
    while window.ahead:
        yield window.pop(now_ms)


class _Window:
    """The dates around the next line to stamp, kept in file order and sorted."""

    def __init__(self, neighbours: int) -> None:
        self.ahead: deque[int | None] = deque()
        self._neighbours = neighbours
        self._waiting: deque[int | None] = deque()  # ahead, and too far to be neighbours yet
        self._behind: deque[int | None] = deque()
        self._sorted: list[int] = []
        self._clock: int | None = None  # the last median, or the first date of all

    def push(self, date: int | None) -> None:
        self.ahead.append(date)
        self._clock = date if self._clock is None else self._clock
        if len(self.ahead) <= self._neighbours + 1:
            self._enter(date)
        else:
            self._waiting.append(date)

    def ready(self) -> bool:
        """Whether the next line has all its neighbours, and something to go by."""
        waited = len(self.ahead)
        return waited > self._neighbours and (self._clock is not None or waited > _LONGEST_WAIT_LINES)

    def pop(self, otherwise: int) -> int:
        """The next line's `seen`; `otherwise` where no line has named a date yet."""
        date = self.ahead.popleft()
        if self._sorted:
            self._clock = self._sorted[(len(self._sorted) - 1) // 2]
        local = otherwise if self._clock is None else self._clock
        seen = date if date is not None and self._believes(date, local) else local
        self._advance(date)
        return seen

    def _advance(self, date: int | None) -> None:
        if self._waiting:
            self._enter(self._waiting.popleft())
        self._behind.append(date)
        if len(self._behind) > self._neighbours:
            self._leave(self._behind.popleft())

    def _enter(self, date: int | None) -> None:
        if date is not None:
            insort(self._sorted, date)

    def _leave(self, date: int | None) -> None:
        if date is not None:
            del self._sorted[bisect_left(self._sorted, date)]

    def _believes(self, date: int, local: int) -> bool:
        distance = abs(date - local)
        return distance <= _TOLERANCE_MS or distance <= self._tolerance()

    def _tolerance(self) -> int:
        known = self._sorted
        count = len(known)
        gaps = sorted(later - earlier for earlier, later in pairwise(known))
        wide = _TOLERATED_GAPS * gaps[(len(gaps) - 1) // 2] if gaps else 0
        if count >= _FEWEST_FOR_MIDDLE:
            wide = max(wide, _TOLERATED_MIDDLES * (known[2 * count // 3] - known[count // 3]))
        at_edge = min(len(self._behind), len(self.ahead)) < self._neighbours
        return max(wide, _EDGE_TOLERANCE_MS if at_edge else _TOLERANCE_MS)
