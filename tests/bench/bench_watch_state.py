"""The state of `watch`: memory and restore of a year of names, and what a watermark that is held for a day costs.

Each measurement is a process of its own: `python -m tests.bench.bench_watch_state year|hold`. Rows are in memory as on
Kafka, with the position of each.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from alerts import AlertConfig
from streams.archive.memory import MemoryArchive
from streams.engine.ports import Send
from streams.engine.runs import Record, Run
from streams.process import one_heap
from streams.records import VERSION, MentionBatch, MentionItem
from streams.stages.watch import WatchStage
from streams.text.profile import load_profile
from streams.transport.tables import Rows, position_header
from tests.bench.feeding import in_process

HOUR_MS = 3_600_000
START_MS = 1_764_000_000_000
NAMES = 1_000_000
ALIVE = 10_000
EPOCH = "bench"
DAYS = 365
HOLD_HOURS = 24
ITEMS_PER_SECOND = 15
PAUSED_MS = 24 * HOUR_MS


def measure() -> dict[str, float]:
    figures: dict[str, float] = {}
    for mode in MODES:
        figures |= in_process("tests.bench.bench_watch_state", mode)
    return figures


class Store:
    """Rows as a worker on Kafka holds them, and how many bytes were written."""

    def __init__(self) -> None:
        self.rows = Rows()
        self.written = self.largest = self.records = 0
        self.run: Run | None = None
        self.now_ms = START_MS

    def get(self, partition: int, key: str) -> bytes | None:
        return self.rows.values.get(f"{partition}|{key}".encode())

    def items(self, partition: int) -> Iterable[tuple[str, bytes]]:
        start = len(f"{partition}|")
        for key, value in list(self.rows.values.items()):
            yield key[start:].decode(), value

    async def put(self, partition: int, rows: Mapping[str, bytes | None]) -> None:
        assert self.run is not None
        headers = (position_header(self.run),)
        for key, value in rows.items():
            self.rows.take(f"{partition}|{key}".encode(), value, headers, at_ms=self.now_ms)
            self.written += len(value or b"")
            self.records += 1
            self.largest = max(self.largest, len(value or b""))
        self.rows.purge(self.now_ms - PAUSED_MS)


class _Nowhere:
    async def send(self, sends: Sequence[Send]) -> None:
        """Takes everything, keeps nothing."""


class Feed:
    """A stage over a store, fed record by record."""

    def __init__(self) -> None:
        self.config = AlertConfig.of(load_profile("finance").rules)
        self.store = Store()
        self.stage = self.new_stage()
        self._offset = self._source = 0

    def new_stage(self) -> WatchStage:
        return WatchStage(self.config, MemoryArchive(), _Nowhere(), self.store, "alerts")

    def item(self, seen_ms: int, series: tuple[str, ...]) -> MentionItem:
        self._source += 1
        digest = hashlib.md5(str(self._source).encode(), usedforsecurity=False).hexdigest()
        return MentionItem(self._source, digest, seen_ms, int(digest[:15], 16), {}, series)

    async def take(
        self, progress_ms: int, items: Sequence[MentionItem], partition: int = 0, partitions: int = 1
    ) -> None:
        batch = MentionBatch(VERSION, EPOCH, partition, partitions, progress_ms, tuple(items))
        record = Record(self._offset, None, msgspec.json.encode(batch), progress_ms)
        self.store.run = Run("mentions", 0, 1, EPOCH, [record], self._offset + 1)
        self.store.now_ms = max(self.store.now_ms, progress_ms)
        self._offset += 1
        await self.stage.handle(self.store.run)


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 1e6


async def year(names: int = NAMES, alive: int = ALIVE, days: int = DAYS) -> dict[str, float]:
    """So many names are seen once in the year, and so many once a week."""
    feed, before_mb, met = Feed(), resident_mb(), 0
    hours = days * 24
    for hour in range(hours):
        seen_ms = START_MS + hour * HOUR_MS
        new = [f"entity/Name {number}" for number in range(met, names * (hour + 1) // hours)]
        met += len(new)
        usual = [f"entity/Usual {number}" for number in range(hour % 168, alive, 168)]
        series = [*new, *usual]
        items = [feed.item(seen_ms + at, ("all", *series[at : at + 60])) for at in range(0, len(series), 60)]
        await feed.take(seen_ms + HOUR_MS // 2, items)
    grown_mb = resident_mb() - before_mb
    rows = feed.store.rows
    feed.stage.forget(0)
    begun = time.perf_counter()
    longest = await _longest_hold(asyncio.ensure_future(feed.new_stage().partition(0)))
    return {
        "names seen in a year": float(met),
        "rows of series left": float(sum(b"|s/" in key for key in rows.values)),
        "bytes a row, without its key": sum(map(len, rows.values.values())) / len(rows.values),
        "memory for them, MB": grown_mb,
        "restore, s": time.perf_counter() - begun,
        "longest that a restore holds the event loop, s": longest,
    }


async def _longest_hold(task: asyncio.Future[object]) -> float:
    """How long the event loop was not free while the task ran, at most, in seconds."""
    longest, last = 0.0, time.perf_counter()
    while not task.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


async def hold(hours: int = HOLD_HOURS, rate: int = ITEMS_PER_SECOND) -> dict[str, float]:
    """One of two source partitions is silent; the other brings news, a record a second."""
    feed, before_mb = Feed(), resident_mb()
    await feed.take(START_MS, [], partition=1, partitions=2)
    first = await _seconds(feed, 0, 600, rate)
    mid = await _seconds(feed, 600, hours * 3600 - 600, rate)
    last = await _seconds(feed, hours * 3600 - 600, hours * 3600, rate)
    waiting = hours * 3600 * rate
    grown_mb = resident_mb() - before_mb
    packed = sum(len(row) for key, row in feed.store.rows.values.items() if b"|w/" in key)
    begun = time.perf_counter()
    await feed.take(START_MS + hours * HOUR_MS, [], partition=1, partitions=2)
    released = time.perf_counter() - begun
    after = await _seconds(feed, hours * 3600, hours * 3600 + 600, rate, partitions=(0, 1))
    return {
        "held, items waiting": float(waiting),
        "held, bytes an item in rows": packed / waiting,
        "held, memory, MB": grown_mb,
        "held, row bytes/s in the first ten minutes": first,
        "held, row bytes/s in between": mid,
        "held, row bytes/s in the last ten minutes": last,
        "held, s to count all once it is released": released,
        "not held, row bytes/s with the memory of a day": after,
        "largest row, bytes": float(feed.store.largest),
    }


async def _seconds(feed: Feed, start: int, end: int, rate: int, partitions: tuple[int, ...] = (0,)) -> float:
    """A record a second; the bytes of rows written a second."""
    written = feed.store.written
    for second in range(start, end):
        seen_ms = START_MS + second * 1000
        series = ("all", f"topic/{second % 20}", f"entity/{second % 997}")
        items = [feed.item(seen_ms + at * 1000 // rate, series) for at in range(rate)]
        for partition in partitions:
            await feed.take(seen_ms + 1000, items if partition == 0 else [], partition, 2)
    return (feed.store.written - written) / (end - start)


MODES: dict[str, Callable[[], Coroutine[Any, Any, dict[str, float]]]] = {"year": year, "hold": hold}


def main(mode: str) -> None:
    one_heap()
    print(json.dumps(asyncio.run(MODES[mode]())))


if __name__ == "__main__":
    main(sys.argv[1])
