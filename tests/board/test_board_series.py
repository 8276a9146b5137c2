"""Series on the board: points with bands, movers, the heat map; from archived hours, and where there are none yet."""

from __future__ import annotations

import pytest

from streams.archive.memory import MemoryArchive
from streams.archive.protocol import StoredHour
from streams.board.problem import Problem
from streams.board.reading.heat import heat_of
from streams.board.reading.labels import Labels
from streams.board.reading.mood import mood_at
from streams.board.reading.movers import Watched, moved_in
from streams.board.reading.points import default_bucket_ms, points_of
from streams.board.reading.spans import Span, hours_between, span_of
from streams.wall_clock import DAY_MS, HOUR_MS
from tests.archive_news import CRISIS_MS, END_MS, SERIES, START_MS, crisis_news
from tests.stages.test_watch_hours import all_hours

EVERY = Watched(["entity", "all"], "negative", "all")
WEEK = Span(END_MS - 7 * DAY_MS, END_MS)


@pytest.fixture(scope="module")
def hours() -> list[StoredHour]:
    return all_hours(crisis_news())


@pytest.fixture
async def archive(hours: list[StoredHour]) -> MemoryArchive:
    """Ten days of news, and what `watch` made of them."""
    made = MemoryArchive()
    await made.write_items(crisis_news())
    await made.record_hours(hours)
    return made


async def test_points_are_those_of_the_archived_hours(archive: MemoryArchive) -> None:
    points = await points_of(archive, SERIES, "all", "negative", WEEK, HOUR_MS)
    stored = {one.start_ms: one for one in await archive.hours([SERIES], "negative", WEEK.since_ms, WEEK.until_ms)}
    assert [point.start_ms for point in points] == WEEK.hours
    for point in points:
        hour = stored.get(point.start_ms)
        assert (point.total, point.hits) == ((hour.total, hour.hits) if hour else (0, 0))
        assert point.high == (hour.high if hour else None)
    [crisis] = [point for point in points if point.start_ms == CRISIS_MS]
    assert crisis.high is not None
    assert crisis.hits == 14 > crisis.high


async def test_the_open_hour_is_counted_now(archive: MemoryArchive) -> None:
    """As if `watch` had closed the hours up to the crisis alone."""
    early = MemoryArchive()
    await early.write_items(crisis_news())
    await early.record_hours(await archive.hours(None, "negative", 0, CRISIS_MS))
    points = await points_of(early, SERIES, "all", "negative", Span(CRISIS_MS - DAY_MS, CRISIS_MS + HOUR_MS), HOUR_MS)
    assert points[-1].start_ms == CRISIS_MS
    assert points[-1].hits == 28  # copies too
    assert points[-1].high is None
    assert any(point.high is not None for point in points)


async def test_buckets_of_a_day_add_hours_up(archive: MemoryArchive) -> None:
    hourly = await points_of(archive, "all", "all", "negative", WEEK, HOUR_MS)
    daily = await points_of(archive, "all", "all", "negative", WEEK, DAY_MS)
    assert len(daily) == 7
    assert sum(point.hits for point in daily) == sum(point.hits for point in hourly)
    [crisis] = [point for point in daily if point.start_ms <= CRISIS_MS < point.start_ms + DAY_MS]
    assert crisis.low is not None
    assert crisis.expected is not None
    assert crisis.high is not None
    assert crisis.low <= crisis.expected <= crisis.high


async def test_short_buckets_and_an_archive_without_hours_are_counted_from_the_items() -> None:
    bare = MemoryArchive()
    await bare.write_items(crisis_news())
    span = Span(CRISIS_MS, CRISIS_MS + HOUR_MS)
    minutes = await points_of(bare, SERIES, "all", "negative", span, HOUR_MS // 4)
    assert [point.hits for point in minutes] == [8, 8, 8, 4]
    assert sum(point.hits for point in await points_of(bare, SERIES, "all", "negative", WEEK, HOUR_MS)) > 28


async def test_movers_begin_with_the_crisis(archive: MemoryArchive) -> None:
    moved = await moved_in(archive, EVERY, Span(CRISIS_MS - 23 * HOUR_MS, CRISIS_MS + HOUR_MS))
    assert moved[0].series in (SERIES, "all")
    acme = next(one for one in moved if one.series == SERIES)
    assert acme.surprise > 3
    assert acme.band is not None
    assert acme.hits > acme.band.high
    assert {one.series for one in moved} == {"all", *(f"entity/{name}" for name in ("ACME", "BOLT", "CORE", "DUNE"))}
    calm = await moved_in(archive, EVERY, Span(CRISIS_MS - 48 * HOUR_MS, CRISIS_MS - 24 * HOUR_MS))
    assert max(one.surprise for one in calm) < 3


async def test_movers_know_the_open_hour(archive: MemoryArchive) -> None:
    early = MemoryArchive()
    await early.write_items(crisis_news())
    await early.record_hours(await archive.hours(None, "negative", 0, CRISIS_MS))
    moved = await moved_in(early, EVERY, Span(CRISIS_MS - 23 * HOUR_MS, CRISIS_MS + HOUR_MS))
    assert next(one for one in moved if one.series == SERIES).surprise > 3


async def test_the_mood_is_judged_by_the_baseline_where_there_is_one(archive: MemoryArchive) -> None:
    mood = await mood_at(archive, "all", "negative", CRISIS_MS + HOUR_MS, hours=1)
    assert mood.low is not None
    assert mood.high is not None
    assert mood.low < mood.high < mood.share
    calm = await mood_at(archive, "all", "negative", CRISIS_MS - DAY_MS)
    assert calm.high is not None
    assert calm.share <= calm.high
    bare = MemoryArchive()
    await bare.write_items(crisis_news())
    assert (await mood_at(bare, "all", "negative", CRISIS_MS + HOUR_MS)).high is not None


async def test_the_heat_map_has_the_series_with_the_most_hits(archive: MemoryArchive) -> None:
    span = Span(CRISIS_MS - 23 * HOUR_MS, CRISIS_MS + HOUR_MS)
    found = await heat_of(archive, Watched(["entity"], "negative", "all"), span, span.hours, 2)
    assert len(found) == 2
    assert next(iter(found)) == SERIES
    assert [len(cells) for cells in found.values()] == [24, 24]
    crisis = found[SERIES][-1]
    assert crisis is not None
    assert crisis.hits == 14
    bare = MemoryArchive()
    await bare.write_items(crisis_news())
    counted = await heat_of(bare, Watched(["entity"], "negative", "all"), span, span.hours, 2)
    assert [one.hits for one in counted[SERIES][-1:] if one] == [28]


async def test_a_span_ends_behind_the_newest_item(archive: MemoryArchive) -> None:
    newest = max(item.news.seen_ms for item in crisis_news())
    span = await span_of(archive, None, None, DAY_MS)
    assert span == Span(newest + 1 - DAY_MS, newest + 1)
    assert await span_of(MemoryArchive(), None, None, DAY_MS) is None
    assert await span_of(MemoryArchive(), 5, None, DAY_MS) == Span(5, 5)
    with pytest.raises(Problem, match="before it begins"):
        await span_of(archive, 10, 5, DAY_MS)
    with pytest.raises(Problem, match="longer than 24 hours"):
        hours_between(Span(START_MS, END_MS), 24)
    assert default_bucket_ms(WEEK) == HOUR_MS
    assert default_bucket_ms(Span(0, 90 * DAY_MS)) == 12 * HOUR_MS


def test_series_are_found_by_what_they_are_called() -> None:
    labels = Labels(frozenset({"entity"}), {"AAPL": "Apple"})
    assert [labels.of(name) for name in ("entity/AAPL", "entity/X", "topic/Earnings", "all")] == [
        "Apple", "X", "Earnings", "all",
    ]  # fmt: skip
    assert labels.has("entity/AAPL", "APPL")
    assert labels.has("entity/AAPL", "aapl")
    assert not labels.has("entity/AAPL", "bank")


def test_feeds_are_called_without_the_ends_of_their_address_and_all_as_the_profile_says() -> None:
    labels = Labels(sources=frozenset({"source"}), called={"all": "All items"})
    assert [
        labels.of(name)
        for name in (
            "source/https://feeds.news.example/top/world.xml",
            "source/http://www.x.example/",
            "source/Wire",
            "all",
        )
    ] == ["news.example/top/world", "x.example", "Wire", "All items"]
