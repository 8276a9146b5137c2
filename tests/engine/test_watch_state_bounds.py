"""The state of `watch` is bounded by the mentions that wait, a day of copies and the series that are not forgotten."""

from __future__ import annotations

import pytest

from streams.stages.watch import WatchStage
from streams.stages.watch_rows import PARTITION_KEY
from streams.stages.watch_series import QUIET_MS
from tests.bench.bench_watch_state import HOUR_MS, START_MS, Feed, hold, year
from tests.engine.positions_harness import FakeOutbox, Fuse

DAY_MS = 24 * HOUR_MS


async def test_a_held_watermark_makes_no_row_larger_and_no_write_dearer() -> None:
    figures = await hold(hours=1, rate=3)
    begun, ended = (
        figures["held, row bytes/s in the first ten minutes"],
        figures["held, row bytes/s in the last ten minutes"],
    )
    assert ended < 2 * begun
    assert figures["largest row, bytes"] < 128 << 10
    assert figures["held, bytes an item in rows"] < 100


async def test_what_waits_is_counted_when_the_watermark_moves_and_its_rows_go() -> None:
    feed = Feed()
    await feed.take(START_MS, [], partition=1, partitions=2)
    for minute in range(60):
        seen_ms = START_MS + minute * 60_000
        items = [feed.item(seen_ms + at, ("all", f"entity/{at}")) for at in range(20)]
        await feed.take(seen_ms, items, partition=0, partitions=2)
        if minute % 7 == 0:
            feed.stage = feed.new_stage()  # a restart
    partition = await feed.stage.partition(0)
    assert partition.waiting_count == 60 * 20
    assert partition.series_count == 0
    await feed.take(START_MS + 2 * HOUR_MS, [], partition=1, partitions=2)
    await feed.take(START_MS + 2 * HOUR_MS, [], partition=0, partitions=2)
    assert partition.waiting_count == 0
    assert not any(b"|w/" in key for key in feed.store.rows.values)
    _, states = partition.states()
    assert len(states) == 21


async def test_no_more_mentions_wait_than_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds the watermark is left behind; each tick is closed at a record, so a redo does the same."""
    feed = Feed()
    feed.stage = WatchStage(
        feed.config, feed.stage._archive, FakeOutbox(Fuse()), feed.store, "alerts", most_waiting=500
    )
    await feed.take(START_MS, [], partition=1, partitions=2)
    for minute in range(60):
        seen_ms = START_MS + minute * 60_000
        await feed.take(seen_ms, [feed.item(seen_ms + at, ("all",)) for at in range(20)], partition=0, partitions=2)
        partition = await feed.stage.partition(0)
        assert partition.waiting_count <= 500
    assert partition.watermark is not None
    assert partition.watermark > START_MS + 30 * 60_000


async def test_a_quiet_series_is_a_row_alone_and_counts_on_when_it_speaks() -> None:
    feed, unbroken = Feed(), Feed()
    for each in (feed, unbroken):
        for hour in range(0, 216, 36):
            seen_ms = START_MS + hour * HOUR_MS
            await each.take(seen_ms + 60_000, [each.item(seen_ms, ("all", "entity/a"))])
            for later in range(1, 36):
                await each.take(seen_ms + later * HOUR_MS, [each.item(seen_ms + later * HOUR_MS - 1, ("all",))])
            partition = await each.stage.partition(0)
            if each is feed:
                assert partition.series_count == 1, "quiet for more than a day"
                assert QUIET_MS < 34 * HOUR_MS
                each.stage = each.new_stage()  # a restart reads it no earlier
                assert (await each.stage.partition(0)).series_count == 0
    rows = [each.store.rows.values for each in (feed, unbroken)]
    keys = [b"0|s/negative/all", b"0|s/negative/entity/a", f"0|{PARTITION_KEY}".encode()]
    assert [rows[0][key] for key in keys] == [rows[1][key] for key in keys]


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_forgotten_series_begins_anew_whether_its_row_is_left_or_not(restarts: bool) -> None:
    feed = Feed()
    await feed.take(START_MS + 60_000, [feed.item(START_MS, ("all", "entity/a"))])
    await feed.take(START_MS + HOUR_MS + 60_000, [feed.item(START_MS + HOUR_MS, ("all",))])  # the hour is reported on
    first = feed.store.rows.values[b"0|s/negative/entity/a"]
    for day in range(1, 84):
        await feed.take(START_MS + day * DAY_MS, [feed.item(START_MS + day * DAY_MS - 1, ("all",))])
    assert feed.store.rows.values[b"0|s/negative/entity/a"] == first
    for day in (85, 86):
        if restarts:
            feed.stage = feed.new_stage()
        await feed.take(START_MS + day * DAY_MS, [feed.item(START_MS + day * DAY_MS - 1, ("all",))])
    assert b"0|s/negative/entity/a" not in feed.store.rows.values
    assert b"0|s/negative/all" in feed.store.rows.values

    rows = []
    for is_left in (False, True):
        if is_left:
            feed.store.rows.values[b"0|s/negative/entity/a"] = first
        feed.stage = feed.new_stage()
        day = 90 if is_left else 88
        seen_ms = START_MS + day * DAY_MS
        await feed.take(seen_ms + 60_000, [feed.item(seen_ms, ("all", "entity/a"))])
        rows.append(len(feed.store.rows.values[b"0|s/negative/entity/a"]))
        del feed.store.rows.values[b"0|s/negative/entity/a"]
    assert rows[0] == rows[1]


async def test_names_that_are_seen_once_leave_neither_rows_nor_positions() -> None:
    figures = await year(names=2_000, alive=20, days=120)
    assert figures["rows of series left"] < 2_000 * 87 / 120 + 30
    assert figures["bytes a row, without its key"] < 300
