"""What is counted again from an archive is what `watch` counted: alerts, evidence, bands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from alerts import Reason
from streams.archive.elastic.archive import ElasticArchive
from streams.archive.elastic.options import ElasticOptions
from streams.archive.memory import MemoryArchive
from streams.archive.protocol import Archive
from streams.archive.sqlite import SqliteArchive
from streams.jobs.explanation import explained
from streams.jobs.recount import Watched, recount
from streams.jobs.series_history import bucket_ms_for, history_of
from streams.jobs.watchlist_items import items_of
from streams.records import Scored
from streams.text.profile import load_profile
from streams.text.watchlists import Watchlist
from streams.wall_clock import DAY_MS, HOUR_MS, MINUTE_MS
from tests.archive_news import CONFIG, CRISIS_MS, END_MS, SERIES, START_MS, crisis_news, watched_events

ACME = Watched(SERIES, "negative")


@pytest.fixture(scope="module")
def items() -> list[Scored]:
    return crisis_news()


@pytest.fixture(params=["sqlite", "memory", pytest.param("elastic", marks=pytest.mark.integration)])
async def archive(request: pytest.FixtureRequest, tmp_path: Path, items: list[Scored]) -> AsyncIterator[Archive]:
    made: Archive
    if request.param == "elastic":
        options = ElasticOptions(prefix=request.getfixturevalue("elastic_prefix"), replicas=0)
        made = ElasticArchive(request.getfixturevalue("elastic_url"), options)
    elif request.param == "sqlite":
        made = SqliteArchive(tmp_path / "archive.db")
    else:
        made = MemoryArchive()
    await made.write_items(items)
    await made.refresh()
    yield made
    await made.close()


async def test_every_opening_is_explained_by_the_evidence_that_it_had(archive: Archive, items: list[Scored]) -> None:
    events = watched_events(items)
    openings = [event for event in events if event.change == "opened"]
    assert openings
    for event in openings:
        found = await explained(archive, CONFIG, ACME, event.updated_ms)
        assert found.answer is None
        opened = [one for one in found.findings if one.reason is Reason.OPENED and one.rule == event.rule]
        same = [one for one in opened if one.count.window.seconds == event.window.seconds]
        assert [(one.count.hits, one.count.total) for one in same] == [(event.observed.hits, event.observed.total)]
        assert [f"{one.evidence.p_value:.6g}" for one in same if one.evidence] == [f"{event.p_value:.6g}"]
        assert [one.id for one in found.caused] == [event.id]
        assert found.models == ("m 1",)


async def test_the_alerts_that_are_counted_again_are_those_of_watch(archive: Archive, items: list[Scored]) -> None:
    found = await recount(archive, CONFIG, ACME, [END_MS], lambda look: look.tick_ms)
    assert found.looks == [END_MS]
    until = [event for event in watched_events(items) if event.updated_ms <= END_MS]
    assert [event for event in found.events if event.updated_ms <= END_MS] == until


@pytest.mark.parametrize("partitions", [2, 3])
async def test_a_partition_of_several_counts_its_own_series(items: list[Scored], partitions: int) -> None:
    archive = MemoryArchive()
    await archive.write_items(items)
    found = await recount(archive, CONFIG, ACME, [END_MS], lambda look: look.tick_ms, partitions=partitions)
    until = [event for event in watched_events(items, partitions=partitions) if event.updated_ms <= END_MS]
    assert [event for event in found.events if event.updated_ms <= END_MS] == until


async def test_why_none_opened_has_its_reason(archive: Archive) -> None:
    calm = await explained(archive, CONFIG, ACME, CRISIS_MS - 2 * HOUR_MS)
    assert calm.answer is None
    assert {one.reason for one in calm.findings} <= {
        Reason.TOO_FEW, Reason.TOO_FEW_ITEMS, Reason.NOT_A_RISE, Reason.AS_EXPECTED
    }  # fmt: skip
    assert len(calm.findings) == len(CONFIG.windows) * len(CONFIG.kinds["entity"].rules)
    early = await explained(archive, CONFIG, ACME, START_MS + DAY_MS)
    assert early.answer is Reason.WARMING_UP
    before = await explained(archive, CONFIG, ACME, START_MS - DAY_MS)
    assert before.answer is Reason.WARMING_UP
    unwatched = await explained(archive, CONFIG, Watched("source/wire 1", "negative"), CRISIS_MS)
    assert unwatched.answer is Reason.NOT_WATCHED
    unknown = await explained(archive, CONFIG, Watched("entity/NONE", "negative"), CRISIS_MS)
    assert {one.reason for one in unknown.findings} == {Reason.TOO_FEW}


async def test_the_crisis_is_above_its_band_and_the_ordinary_days_are_within(
    archive: Archive, items: list[Scored]
) -> None:
    buckets = await history_of(archive, CONFIG, ACME, START_MS, END_MS, HOUR_MS)
    assert [one.start_ms for one in buckets] == list(range(START_MS, END_MS, HOUR_MS))
    assert all(one.band is None for one in buckets if one.start_ms < START_MS + 2 * DAY_MS)
    [crisis] = [one for one in buckets if one.start_ms == CRISIS_MS]
    assert crisis.is_above
    others = [one for one in buckets if one is not crisis and one.band is not None]
    assert sum(one.is_above for one in others) <= len(others) * 0.05
    of_series = {item.signature: item for item in items if SERIES in item.series}
    assert sum(one.total for one in buckets) == len(of_series), "each title once"
    assert sum(one.hits for one in buckets) == sum("negative" in item.series[SERIES] for item in of_series.values())


async def test_looks_lie_beside_each_other_without_a_trace(items: list[Scored]) -> None:
    """Looking often changes neither counts nor alerts."""
    archive = MemoryArchive()
    await archive.write_items(items)
    once = await recount(archive, CONFIG, ACME, [END_MS], lambda look: look.state.horizon_hits())
    ticks = range(START_MS, END_MS + 1, 5 * MINUTE_MS)
    often = await recount(archive, CONFIG, ACME, ticks, lambda look: look.state.horizon_hits())
    assert len(often.looks) == len(ticks)
    assert often.looks[-1] == once.looks[-1]
    assert msgspec.to_builtins(often.events) == msgspec.to_builtins(once.events)
    assert often.counted == once.counted


async def test_a_new_watchlist_finds_the_archived_items_that_would_have_been_on_it(archive: Archive) -> None:
    profile = load_profile("finance")
    found = await items_of(archive, profile, Watchlist("run", terms=("run on",), without=("13",)), 100)
    assert len(found) == 26
    assert {hit.item.news.title[:11] for hit in found} == {"Run on ACME"}
    assert "Run on ACME 13" not in {hit.item.news.title for hit in found}
    of_entity = await items_of(archive, profile, Watchlist("acme", entities=("ACME",), terms=("no such",)), 5)
    assert [hit.item.entities[0].id for hit in of_entity] == ["ACME"] * 5
    assert await items_of(archive, profile, Watchlist("none", names=("Unheard",)), 5) == []


@pytest.mark.parametrize(
    ("span_ms", "bucket_ms"),
    [(HOUR_MS, 5 * MINUTE_MS), (7 * DAY_MS, 3 * HOUR_MS), (1000 * DAY_MS, DAY_MS)],
)
def test_buckets_fit_the_span(span_ms: int, bucket_ms: int) -> None:
    assert bucket_ms_for(span_ms, 56) == bucket_ms
