"""Copies of a story are counted once: what a partition remembers of the last 24 hours, for all its series.

    heard in a tick, by (seen, id) ─► id known? ─► fresh ─► per series: signature known? ─► what each series counts

An item whose id was counted within the horizon is a revision: it counts in no series, nor in what all series share,
which the fresh ones do, copies too. In a series a mention is a copy
when its signature (equal for copies of a title) was counted there within the horizon. Mentions come sorted by (seen,
id), so the smallest of the copies is the one that counts.

The memory holds every key for 24 hours, however many there are. It is written down as numbered parts: one grows, and
once it is full it never changes again. Parts are a function of the mentions and ticks alone, so rows of any attempt
may stand beside each other: a part that is ahead of the tick to go on from is cut back to it (`alerts.copies_rows`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from types import MappingProxyType
from typing import Final, NamedTuple

from alerts.clock import HOUR_MS
from alerts.config import AlertConfig
from alerts.copies_index import KeyIndex
from alerts.copies_rows import Part, packed, unpacked
from alerts.memory import Heard, id_key, story_key
from alerts.sections import HORIZON_HOURS

__all__ = ["HORIZON_SECONDS", "Copies", "Counted"]

PART_KEYS: Final = 8_192
"""Keys of a full part: 82 KB. The part that grows is written at each tick, so it must not be large."""

_PART_SPAN_MS: Final = 12 * HOUR_MS
HORIZON_SECONDS: Final = HORIZON_HOURS * 3_600


class Counted(NamedTuple):
    """What a tick counts: the mentions that are of no revision, in order, and what each series counts of them."""

    fresh: Sequence[Heard] = ()
    by_series: Mapping[str, Sequence[Heard]] = MappingProxyType({})


class Copies:
    """What was counted within the last 24 hours, to the second. `open_part` is the number of the part that grows."""

    __slots__ = ("_dirty", "_full", "_index", "_newest", "_part", "_spent", "open_part")

    def __init__(self) -> None:
        self.open_part = 0
        self._part = Part()
        self._index = KeyIndex()
        self._newest: dict[int, int] = {}  # of the parts that are full: the second of the newest key
        self._full: dict[int, bytes] = {}  # not taken yet
        self._dirty = False
        self._spent: list[int] = []

    def restore(self, rows: Mapping[int, bytes], open_part: int, tick_ms: int) -> Iterator[None]:
        """Becomes what it was when the tick was closed, from the existing rows, in steps. Raises `StateError`."""
        self.open_part = open_part
        for number, row in sorted(rows.items()):
            if number <= open_part:
                part = unpacked(row)
                if number < open_part:
                    self._keep(number, part)
                else:
                    self._part = part.until(tick_ms)
            yield
        self._expire(tick_ms)

    def counted(self, tick_ms: int, heard: Sequence[Heard], config: AlertConfig) -> Counted:
        """What counts of the mentions that this tick closes, which are sorted; remembers them.

        Mentions that are too late to count are in it too: the series, and what they share, count them as late.
        """
        self._expire(tick_ms)
        if self._part.opened_ms and tick_ms - self._part.opened_ms > _PART_SPAN_MS:
            self._fill()
        keys = [_keys(one, config.collapse) for one in heard]
        old = self._index.found(keys)
        earliest_ms = ((tick_ms - 1) // HOUR_MS - HORIZON_HOURS + 1) * HOUR_MS
        found: dict[str, list[Heard]] = {}
        fresh: list[Heard] = []
        owner: tuple[int, int] | None = None
        for one, (item_key, *story_keys) in zip(heard, keys, strict=True):
            seen_ms = one.seen_ms
            second, is_timely, is_late = seen_ms // 1000, seen_ms >= earliest_ms, seen_ms < tick_ms - config.hop_ms
            if is_timely and owner != (one.source, one.offset):
                if self._is_known(item_key, second, old):
                    continue
                owner = (one.source, one.offset)
                self._remember(item_key, second, tick_ms, is_late)
            fresh.append(one)
            for name, key in zip(one.series, story_keys, strict=True):
                if key and is_timely:
                    if self._is_known(key, second, old):
                        continue
                    self._remember(key, second, tick_ms, is_late)
                if name in found:
                    found[name].append(one)
                else:
                    found[name] = [one]
        return Counted(fresh, found)

    def _is_known(self, key: int, second: int, old: Mapping[int, int]) -> bool:
        expired = second - HORIZON_SECONDS
        return (
            self._part.seconds.get(key, expired) > expired
            or self._index.recent.get(key, expired) > expired
            or (bool(old) and old.get(key, expired) > expired)
        )

    def _remember(self, key: int, second: int, tick_ms: int, is_late: bool) -> None:
        part = self._part
        if key in part.seconds:
            self._fill()  # it has left the horizon since; a part that is cut back must still know it
            part = self._part
        if not part.opened_ms:
            part.opened_ms = tick_ms
        part.seconds[key] = second
        if is_late:
            part.late[key] = tick_ms // 1000
        self._dirty = True
        if len(part.seconds) >= PART_KEYS:
            self._fill()

    def _fill(self) -> None:
        """The part that grows is full: the next one begins."""
        part, number = self._part, self.open_part
        self._full[number] = packed(part)
        self._keep(number, part)
        self._part, self.open_part, self._dirty = Part(), number + 1, False

    def _keep(self, number: int, part: Part) -> None:
        if part.seconds:
            self._newest[number] = part.newest
            self._index.add(part.seconds, part.newest)
        else:
            self._spent.append(number)

    def _expire(self, tick_ms: int) -> None:
        """Drops the parts that have left the horizon."""
        if not self._newest:
            return
        expired = tick_ms // 1000 - HORIZON_SECONDS
        gone = list(takewhile(lambda number: self._newest[number] <= expired, self._newest))
        for number in gone:
            del self._newest[number]
            self._full.pop(number, None)
        if gone:
            self._spent += gone
            self._index.expire(expired)

    def taking_rows(self) -> Iterator[tuple[int, bytes]]:
        """The parts that have changed since the last call, by number."""
        full, self._full = self._full, {}
        yield from full.items()
        if self._dirty:
            self._dirty = False
            yield self.open_part, packed(self._part)

    def take_spent(self) -> list[int]:
        """The parts that no one needs since the last call."""
        spent, self._spent = self._spent, []
        return spent

    def __len__(self) -> int:
        """Keys held."""
        return len(self._part.seconds) + len(self._index)


def _keys(one: Heard, collapse: bool) -> list[int]:
    """The item's key, then one for each series; 0 where copies do not collapse."""
    signature = one.signature if collapse else 0
    if not signature:
        return [id_key(one.id), *([0] * len(one.series))]
    return [id_key(one.id), *[story_key(signature, name) for name in one.series]]
