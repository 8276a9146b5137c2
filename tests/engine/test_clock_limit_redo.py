"""Event time that the worker's own clock limits: counts are exact although the clock goes on between two attempts."""

from __future__ import annotations

import random

import msgspec
import pytest

from alerts import SeriesState
from alerts.history import TOTAL_MASK
from streams.archive.memory import MemoryArchive
from streams.engine.runs import Record, Run
from streams.engine.ticks import ClockLimit
from streams.records import VERSION, MentionBatch, MentionItem
from streams.stages.watch import WatchStage
from streams.stages.watch_rows import LIMIT_PREFIX, SERIES_PREFIX, SeriesRow
from tests.engine.positions_harness import EPOCH, START_MS, Crash, FakeOutbox, FakeState, Fuse
from tests.stages.test_event_time_limit import CONFIG

MINUTE_MS = 60_000


class Clock:
    """Goes on whenever it is looked at, by up to an hour."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.now_ms = START_MS

    def __call__(self) -> int:
        self.now_ms += self._rng.choice([0, 1_000, 5 * MINUTE_MS, 60 * MINUTE_MS])
        return self.now_ms


def log_of(rng: random.Random, batches: int) -> list[Record]:
    """Mentions from a worker that claims to be up to two hours further than its items are."""
    records, number, seen_ms = [], 0, START_MS
    for offset in range(batches):
        items = []
        for _ in range(rng.randint(0, 3)):
            seen_ms += rng.randint(0, 10 * MINUTE_MS)
            items.append(
                MentionItem(
                    number, f"{number:032x}", seen_ms, number + 1, {"negative": 0.9} if number % 2 else {}, ("all",)
                )
            )
            number += 1
        records.append(record(offset, seen_ms + rng.randint(0, 120) * MINUTE_MS, tuple(items)))
    return records


def record(offset: int, progress_ms: int, items: tuple[MentionItem, ...] = ()) -> Record:
    batch = MentionBatch(VERSION, EPOCH, 0, 1, progress_ms, items)
    return Record(offset, None, msgspec.json.encode(batch), 0)


def run_of(records: list[Record]) -> Run:
    return Run("mentions", 0, 1, "own", records, records[-1].offset + 1)


@pytest.mark.parametrize("seed", range(60))
async def test_a_limit_that_moves_between_attempts_counts_every_item_once(seed: int) -> None:
    rng = random.Random(seed)
    records = log_of(rng, 40)
    fuse, clock, archive = Fuse(), Clock(rng), MemoryArchive()
    state = FakeState(fuse)
    at = 0
    while at < len(records):
        run = run_of(records[at : at + rng.randint(1, 6)])
        fuse.left = rng.randint(0, 8) if rng.random() < 0.7 else None
        stage = WatchStage(CONFIG, archive, FakeOutbox(fuse), state, "alerts", limit=ClockLimit(1_000, clock))
        try:
            await stage.handle(run)
        except Crash:
            continue
        at = run.last_offset + 1
    fuse.left = None
    clock.now_ms += 1_000 * 60 * MINUTE_MS
    last = WatchStage(CONFIG, archive, FakeOutbox(fuse), state, "alerts", limit=ClockLimit(1_000, clock))
    end_ms = START_MS + 12 * 60 * MINUTE_MS
    await last.handle(run_of([record(len(records), end_ms)]))
    assert counted(state) == sum(len(msgspec.json.decode(r.value or b"", type=MentionBatch).items) for r in records)
    assert [key for _, key in state.rows if key.startswith(LIMIT_PREFIX)] == []


def counted(state: FakeState) -> int:
    row = state.get(0, SERIES_PREFIX + "negative/all")
    assert row is not None
    found = SeriesState.from_bytes(bytes(SeriesRow.of(row).state))
    return sum(packed & TOTAL_MASK for packed in found.sight.hours.values()) + found.late
