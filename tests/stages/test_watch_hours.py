"""`watch` archives each series' hour as it ends: the counts and bands that counting again gives, after a crash too."""

from __future__ import annotations

import pytest

from streams.archive.memory import MemoryArchive
from streams.archive.protocol import StoredHour
from streams.engine.runs import Record
from streams.jobs.recount import Watched
from streams.jobs.series_history import history_of
from streams.records import Scored
from streams.stages.mentions import mention_sends
from streams.stages.watch_partition import WatchPartition
from streams.wall_clock import HOUR_MS
from tests.archive_news import CONFIG, CRISIS_MS, END_MS, PARTITIONS, SERIES, START_MS, crisis_news

Rows = dict[str, bytes]


@pytest.fixture(scope="module")
def items() -> list[Scored]:
    return crisis_news()


def records(items: list[Scored]) -> list[Record]:
    """Those of `mentions` of items in order; the last says that all is over."""
    sends = []
    for item in [*items, None]:
        for source in range(PARTITIONS):
            mine = [item] if item is not None and item.position.partition == source else []
            progress_ms = item.news.seen_ms if item is not None else END_MS + HOUR_MS
            sends += mention_sends(
                "mentions", 1, epoch="e", partition=source, partitions=PARTITIONS, progress_ms=progress_ms, items=mine
            )
    return [Record(offset, None, send.value, 0, send.headers) for offset, send in enumerate(sends)]


def watched(partition_row: bytes | None = None, rows: Rows | None = None) -> WatchPartition:
    partition = WatchPartition(CONFIG, partition_row, list((rows or {}).items()), reports_hours=True)
    partition.begin("own")
    return partition


def all_hours(items: list[Scored]) -> list[StoredHour]:
    partition = watched()
    for record in records(items):
        partition.apply(record)
    return partition.take_hours()


async def test_the_hours_are_those_that_counting_again_gives(items: list[Scored]) -> None:
    archive = MemoryArchive()
    await archive.write_items(items)
    await archive.record_hours(all_hours(items))
    for series in (SERIES, "all"):
        buckets = await history_of(archive, CONFIG, Watched(series, "negative"), START_MS, END_MS, HOUR_MS)
        stored = {one.start_ms: one for one in await archive.hours([series], "negative", START_MS, END_MS)}
        spoken = [bucket for bucket in buckets if bucket.total]
        assert {bucket.start_ms for bucket in spoken} <= set(stored)
        for bucket in (bucket for bucket in buckets if bucket.start_ms in stored):
            hour, band = stored[bucket.start_ms], bucket.band
            assert (hour.total, hour.hits) == (bucket.total, bucket.hits)
            if band is None:
                assert hour.expected is hour.low is hour.high is None
            else:
                assert (hour.low, hour.high) == (band.low, band.high)
                assert hour.expected == pytest.approx(band.expected)
    [crisis] = await archive.hours([SERIES], "negative", CRISIS_MS, CRISIS_MS + 1)
    assert crisis.hits == 14
    assert crisis.high is not None
    assert crisis.hits > crisis.high


def test_a_busy_series_has_its_silent_hours_and_a_quiet_one_has_not(items: list[Scored]) -> None:
    hours = all_hours(items)
    assert any(hour.series == "all" and not hour.total for hour in hours)
    assert len({(hour.signal, hour.series, hour.start_ms) for hour in hours}) == len(hours), "an hour came twice"
    assert len(hours) < 3 * sum(len(item.series) for item in items)


@pytest.mark.parametrize("every", [7, 50])
def test_restarts_and_crashes_change_no_hour(items: list[Scored], every: int) -> None:
    """Each run is done, its hours are archived, and some of its rows are written; then it is done again."""
    archived: dict[tuple[str, str, int], StoredHour] = {}
    row: bytes | None = None
    rows: Rows = {}
    all_records = records(items)
    for begin in range(0, len(all_records), every):
        for part in (2, 1):
            partition = watched(row, rows)
            for record in all_records[begin : begin + every]:
                partition.apply(record)
            for hour in partition.take_hours():
                own = hour.signal, hour.series, hour.start_ms
                assert archived.setdefault(own, hour) == hour, "a redo made another hour"
            written = list(partition.take_rows().items())
            rows |= dict(written[: len(written) // part])
        row = partition.partition_row()
        for key in partition.take_spent():
            rows.pop(key, None)
    assert sorted(archived.values(), key=str) == sorted(all_hours(items), key=str)
