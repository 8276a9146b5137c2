"""One contract for every archive: the embedded one and the fake that stage tests use."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.archive import open_archive
from streams.archive.elastic.archive import ElasticArchive
from streams.archive.elastic.options import ElasticOptions
from streams.archive.faceting import faceted_of
from streams.archive.memory import MemoryArchive
from streams.archive.protocol import (
    Archive,
    ArchiveError,
    ArchiveStats,
    Claims,
    Outcome,
    Query,
    Refused,
    SeriesSum,
    StoredAlert,
    StoredDecision,
    StoredHour,
    StoredNotification,
    StoredView,
    StoryMember,
    Written,
)
from streams.archive.sqlite import SqliteArchive
from streams.errors import SettingsError
from streams.records import EntityMention, HeadScore, News, Position, Scored, Story
from tests.stages.finance_items import counted, sentiment

HOUR_MS = 3_600_000


def scored(
    number: int, *, content: str = "a", seen_ms: int | None = None, offset: int | None = None, label: str = "negative",
    title: str = "", partition: int = 0, entity: str = "ACME",
) -> Scored:  # fmt: skip
    """An item whose id is `number`."""
    negative = 0.8 if label == "negative" else 0.1
    item = Scored(
        news=News(
            id=f"id{number}",
            content=content,
            title=title or f"Headline number {number} version {content}",
            source="wire",
            seen_ms=number * HOUR_MS if seen_ms is None else seen_ms,
        ),
        position=Position("e", partition, number if offset is None else offset),
        scored_ms=1,
        language="en",
        heads={"sentiment": sentiment(label, negative, 0.1, 0.9 - negative), "topic": HeadScore("Earnings", 0.9)},
        series={},
        entities=(EntityMention(entity, entity.title(), 1.0),),
        watchlists=(),
        story=Story(f"story{number % 3}"),
        signature=f"{number:016x}",
        model="m",
        model_version="1",
    )
    return counted(item)


class Refreshed(ElasticArchive):
    """Sees its own writes in searches at once, as the contract's tests expect; the pipeline never needs it."""

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> Sequence[Written]:
        outcomes = await super().write_items(items, claims)
        await self.refresh()
        return outcomes

    async def write_alerts(self, alerts: Sequence[StoredAlert]) -> None:
        await super().write_alerts(alerts)
        await self.refresh()


def elastic_archive(url: str, prefix: str) -> Refreshed:
    return Refreshed(url, ElasticOptions(prefix=prefix, replicas=0))


@pytest.fixture(params=["sqlite", "memory", pytest.param("elastic", marks=pytest.mark.integration)])
async def archive(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Archive]:
    made: Archive
    if request.param == "elastic":
        made = elastic_archive(request.getfixturevalue("elastic_url"), request.getfixturevalue("elastic_prefix"))
    elif request.param == "sqlite":
        made = SqliteArchive(tmp_path / "archive.db")
    else:
        made = MemoryArchive()
    yield made
    await made.close()


async def test_a_new_item_is_added_and_found(archive: Archive) -> None:
    item = scored(1)
    assert await archive.write_items([item]) == [Outcome.ADDED]
    assert await archive.items_by_id(["id1", "nothing"]) == [item]
    assert await archive.stats() == ArchiveStats(1, 0, 0)


async def test_a_redo_changes_nothing(archive: Archive) -> None:
    items = [scored(n) for n in range(5)]
    await archive.write_items(items)
    assert await archive.write_items(items[2:]) == [Outcome.ADDED] * 3
    assert await archive.stats() == ArchiveStats(5, 0, 0)


async def test_the_same_content_elsewhere_is_a_duplicate_once(archive: Archive) -> None:
    again = scored(1, offset=9)
    assert await archive.write_items([scored(1), again]) == [Outcome.ADDED, Outcome.DUPLICATE]
    assert await archive.write_items([again]) == [Outcome.DUPLICATE]
    assert await archive.stats() == ArchiveStats(1, 0, 1)


async def test_what_was_claimed_before_it_was_scored_is_written_as_ever(archive: Archive) -> None:
    items = [scored(1), scored(1, offset=9), scored(2)]
    assert await archive.write_items(items, await archive.claim(items)) == [
        Outcome.ADDED,
        Outcome.DUPLICATE,
        Outcome.ADDED,
    ]
    assert await archive.items_by_id(["id1"]) == [items[0]]
    assert await archive.stats() == ArchiveStats(2, 0, 1)


async def test_a_claim_that_nothing_followed_is_the_redo_s_own(archive: Archive) -> None:
    await archive.claim([scored(1)])
    assert await archive.items_by_id(["id1"]) == []
    assert await archive.stats() == ArchiveStats(0, 0, 0)
    assert await archive.write_items([scored(1)]) == [Outcome.ADDED]
    assert await archive.stats() == ArchiveStats(1, 0, 0)


async def test_versions_by_their_place(archive: Archive) -> None:
    assert await archive.source_partitions() == []
    assert await archive.items_after(epoch="e", partition=0, after_offset=-1, limit=9) == []
    versions = [scored(1, content=f"v{n}", offset=n) for n in range(5)]
    other = scored(2, partition=1)
    await archive.write_items([versions[n] for n in (3, 0, 4, 1, 2)])
    await archive.write_items([other, scored(2, offset=8)])  # the last one is a duplicate
    assert sorted(await archive.source_partitions()) == [("e", 0), ("e", 1)]
    assert await archive.items_after(epoch="e", partition=0, after_offset=-1, limit=3) == versions[:3]
    assert await archive.items_after(epoch="e", partition=0, after_offset=2, limit=9) == versions[3:]
    assert await archive.items_after(epoch="e", partition=1, after_offset=-1, limit=9) == [other]
    assert await archive.items_after(epoch="other", partition=0, after_offset=-1, limit=9) == []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_the_earliest_version_is_the_item(archive: Archive, order: tuple[int, ...]) -> None:
    versions = [scored(1, content=f"v{n}", seen_ms=(n + 1) * HOUR_MS, offset=n, label="neutral") for n in range(3)]
    for done, index in enumerate(order):
        is_earliest = index <= min(order[: done + 1])
        for _ in range(2):  # a redo answers the same
            (outcome,) = await archive.write_items([versions[index]])
            assert outcome is (Outcome.ADDED if is_earliest else Outcome.REVISION)
    assert await archive.items_by_id(["id1"]) == [versions[0]]
    assert await archive.revisions("id1") == versions
    assert await archive.stats() == ArchiveStats(1, 2, 0)
    (bucket,) = await archive.rates("entity/ACME", "negative", 0, 10 * HOUR_MS, HOUR_MS)
    assert (bucket.start_ms, bucket.total) == (HOUR_MS, 1)


@pytest.mark.parametrize("seed", range(4))
async def test_what_counts_follows_from_the_log(archive: Archive, seed: int) -> None:
    """Of an id and a partition the first record counts, whatever its time; a redo, from anywhere, hears the same."""
    rng = random.Random(seed)
    logs = [
        [
            scored(
                rng.randint(0, 3), content=f"{partition}-{offset}", seen_ms=rng.randint(0, 2), offset=offset,
                partition=partition,
            )
            for offset in range(15)
        ]
        for partition in range(2)
    ]  # fmt: skip
    said: dict[Position, Written] = {}
    starts = [0, 0]
    while unread := [partition for partition in range(2) if starts[partition] < len(logs[partition])]:
        partition = rng.choice(unread)
        begin = max(0, starts[partition] - rng.randint(0, 6))
        batch = logs[partition][begin : starts[partition] + rng.randint(1, 4)]
        for item, outcome in zip(batch, await archive.write_items(batch), strict=True):
            assert said.setdefault(item.position, outcome) is outcome
        starts[partition] = begin + len(batch)
    for log in logs:
        assert await archive.outcomes(log) == [said[item.position] for item in log]
        added = [item.news.id for item in log if said[item.position] is Outcome.ADDED]
        assert len(added) == len(set(added))
        firsts = {item.news.id: item for item in reversed(log)}.values()
        rest = [item for item in log if not any(item is first for first in firsts)]
        assert all(said[item.position] is Outcome.REVISION for item in rest)


async def test_an_archive_that_is_filled_in_another_order_counts_the_same(archive: Archive) -> None:
    log = [scored(1 + offset % 3, content=f"v{offset}", seen_ms=9 - offset, offset=offset) for offset in range(9)]
    await archive.write_items(random.Random(2).sample(log, len(log)))
    assert await archive.outcomes(log) == [Outcome.ADDED] * 3 + [Outcome.REVISION] * 6


async def test_an_item_counts_in_an_entity_s_series_by_what_it_says_of_that_entity(archive: Archive) -> None:
    bad = {"entity": sentiment("negative", 0.9, 0.1, 0.0)}
    good = {"entity": sentiment("positive", 0.0, 0.1, 0.9)}
    entities = (
        EntityMention("BANK", "Bank", 1.0, (0, 4), good),
        EntityMention("CARS", "Cars", 0.9, (10, 14), bad),
        EntityMention("SEEN", "Seen", 0.4),  # in the text alone: nobody judged it
    )
    plain = scored(1, label="positive")
    heads = plain.heads | {"topic/Lawsuit": HeadScore("Lawsuit", 0.7)}
    suing = counted(msgspec.structs.replace(plain, entities=entities, heads=heads))
    await archive.write_items([suing, scored(2, label="negative", entity="BANK")])
    assert await archive.items_by_id(["id1"]) == [suing]

    async def rated(series: str) -> tuple[int, int]:
        rows = await archive.rates(series, "negative", 0, 9 * HOUR_MS, 9 * HOUR_MS)
        return sum(row.total for row in rows), sum(row.hits for row in rows)

    series = ("all", "entity/BANK", "entity/CARS", "entity/SEEN", "topic/Lawsuit")
    assert [await rated(one) for one in series] == [(2, 1), (2, 1), (1, 1), (1, 0), (1, 0)]
    top = await archive.top("entity", "negative", 0, 9 * HOUR_MS)
    assert [(one.name, one.total, one.hits) for one in top] == [("BANK", 2, 1), ("CARS", 1, 1), ("SEEN", 1, 0)]


async def test_search_finds_words_newest_first(archive: Archive) -> None:
    await archive.write_items([scored(n, title=f"Bank run number {n}") for n in range(4)])
    hits = await archive.search(Query(text="BANK run"))
    assert [hit.item.news.id for hit in hits] == ["id3", "id2", "id1", "id0"]
    assert hits[0].snippet == "«Bank» «run» number 3"
    last = hits[1].item.news
    page = await archive.search(Query(text="bank", before=(last.seen_ms, last.id), limit=1))
    assert [hit.item.news.id for hit in page] == ["id1"]
    assert await archive.search(Query(text="bank absent")) == []


@pytest.mark.parametrize(
    "text", ['"', "NEAR(", "a AND", "*", "title:", "-", "foo_bar", "'; DROP TABLE versions", "(", "🙂"]
)
async def test_any_text_is_a_valid_query(archive: Archive, text: str) -> None:
    await archive.write_items([scored(1)])
    assert isinstance(await archive.search(Query(text=text)), list)


async def test_hits_are_counted_by_what_search_finds(archive: Archive) -> None:
    unscored = msgspec.structs.replace(scored(4), heads={}, series={}, entities=(), language="zh")
    await archive.write_items([scored(1), scored(2, label="positive"), scored(3, entity="OTHER"), unscored])
    for query in (Query(), Query(text="number 3"), Query(label=("sentiment", "positive")), Query(limit=2)):
        hits = await archive.search(query)
        assert await archive.faceted(query) == [faceted_of(hit.item) for hit in hits]


async def test_search_restricts(archive: Archive) -> None:
    await archive.write_items([scored(1), scored(2, label="positive"), scored(3, entity="OTHER")])
    assert [hit.item.news.id for hit in await archive.search(Query(series="entity/ACME"))] == ["id2", "id1"]
    assert [hit.item.news.id for hit in await archive.search(Query(label=("sentiment", "positive")))] == ["id2"]
    assert len(await archive.search(Query(source="wire"))) == 3
    assert await archive.search(Query(source="elsewhere")) == []
    window = Query(since_ms=2 * HOUR_MS, until_ms=3 * HOUR_MS)
    assert [hit.item.news.id for hit in await archive.search(window)] == ["id2"]
    assert await archive.search(Query(series="entity/NOBODY")) == []


async def test_rates_top_and_story(archive: Archive) -> None:
    items = [scored(n, label="negative" if n % 2 else "positive", entity="B" if n > 3 else "A") for n in range(6)]
    await archive.write_items(items)
    buckets = await archive.rates("all", "negative", 0, 6 * HOUR_MS, 2 * HOUR_MS)
    assert [(b.start_ms // HOUR_MS, b.total, b.hits) for b in buckets] == [(0, 2, 1), (2, 2, 1), (4, 2, 1)]
    assert buckets[0].mean_score == pytest.approx((-0.7 + 0.7) / 2)
    counts = await archive.top("entity", "negative", 0, 6 * HOUR_MS)
    assert [(c.name, c.total, c.hits) for c in counts] == [("A", 4, 2), ("B", 2, 1)]
    assert [item.news.id for item in await archive.story("story1")] == ["id1", "id4"]


async def test_members_of_stories_newest_first(archive: Archive) -> None:
    await archive.write_items([scored(n) for n in range(6)])
    await archive.write_items([scored(4, content="b", offset=90)])
    members = await archive.story_members(["story1", "story2", "nothing"])
    assert members["story1"] == [StoryMember("id4", "wire", 4 * HOUR_MS), StoryMember("id1", "wire", HOUR_MS)]
    assert [one.id for one in members["story2"]] == ["id5", "id2"]
    assert set(members) == {"story1", "story2"}
    assert await archive.story_members([]) == {}


async def test_the_newest_item_of_series_in_a_time(archive: Archive) -> None:
    await archive.write_items([scored(n, entity="A" if n < 3 else "B") for n in range(6)])
    found = await archive.newest_of(["entity/A", "entity/B", "entity/C", "all"], HOUR_MS, 5 * HOUR_MS)
    assert {name: item.news.id for name, item in found.items()} == {"entity/A": "id2", "entity/B": "id4", "all": "id4"}
    assert await archive.newest_of([], 0, 9 * HOUR_MS) == {}


async def test_alerts_page_by_page(archive: Archive) -> None:
    rows = [
        StoredAlert(f"a{n}", 1, "negative", "volume", "all", "firing", "warning", onset, onset, b"{}")
        for n, onset in enumerate([50, 70, 70, 60, 70])
    ]
    await archive.write_alerts(rows)
    first = await archive.alerts(limit=2)
    assert [one.id for one in first] == ["a1", "a2"]
    rest = await archive.alerts(before=(70, "a2"))
    assert [one.id for one in rest] == ["a4", "a3", "a0"]


async def test_stories_of_a_partition_before_an_offset(archive: Archive) -> None:
    await archive.write_items([scored(n) for n in range(6)] + [scored(9, partition=1)])
    rows = await archive.stories(partition=0, epoch="e", before_offset=5, since_ms=HOUR_MS, limit=3)
    assert [row.id for row in rows] == ["id2", "id3", "id4"]
    assert rows[0].title == "Headline number 2 version a"
    assert await archive.stories(partition=0, epoch="other", before_offset=5, since_ms=0, limit=3) == []


def alert(version: int, state: str, alert_id: str = "x") -> StoredAlert:
    return StoredAlert(alert_id, version, "negative", "volume", "all", state, "warning", 1_000, 1_000 + version, b"{}")


async def test_an_older_state_never_replaces_a_newer_one(archive: Archive) -> None:
    await archive.write_alerts([alert(2, "resolved")])
    await archive.write_alerts([alert(1, "firing"), alert(1, "firing", "y")])
    assert {(a.id, a.state) for a in await archive.alerts()} == {("x", "resolved"), ("y", "firing")}
    assert [a.state for a in await archive.alert_history("x")] == ["firing", "resolved"]
    assert [a.id for a in await archive.alerts(state="firing")] == ["y"]
    assert await archive.alerts(since_ms=2_000) == []


def notification(name: str, revision: int, state: str = "waiting", alert_id: str = "x") -> StoredNotification:
    problem = "" if state == "sent" else "answered 503"
    return StoredNotification(name, alert_id, 1, "terminal", state, revision, 5, revision, problem, revision)


async def test_the_latest_revision_of_a_notification_stays(archive: Archive) -> None:
    await archive.record_notifications([])
    await archive.record_notifications([notification("n1", 3, "sent"), notification("n2", 4, alert_id="y")])
    await archive.record_notifications([notification("n1", 2), notification("n1", 3), notification("n2", 4)])
    await archive.refresh()
    assert await archive.notifications() == [notification("n2", 4, alert_id="y"), notification("n1", 3, "sent")]
    await archive.record_notifications([notification("n2", 5, "failed", alert_id="y")])
    await archive.refresh()
    assert await archive.notifications(state="failed") == [notification("n2", 5, "failed", alert_id="y")]
    assert await archive.notifications(alert_id="x", channel="terminal", limit=1) == [notification("n1", 3, "sent")]
    assert await archive.notifications(channel="file") == []


def decided(place: int, **fields: Any) -> StoredDecision:
    made = StoredDecision(place, f"d{place}", "silence", "ann", "a1", place * 10, 77, "accepted", 2, "", b'{"a":1}')
    return replace(made, **fields)


async def test_the_audit_trail_only_grows(archive: Archive) -> None:
    first, second = decided(7, by="ben", outcome="moved", detail="Ann was faster\n"), decided(8, target="b\u00e4")
    await archive.record_decisions([])
    await archive.record_decisions([second, first])
    await archive.record_decisions([decided(7, by="eve"), decided(9, kind="note", at_ms=5)])
    await archive.refresh()
    assert await archive.decisions() == [decided(9, kind="note", at_ms=5), second, first]
    assert await archive.decisions(by="ben") == [first]
    assert await archive.decisions(target="b\u00e4", limit=1) == [second]
    assert await archive.decisions(kind="note", since_ms=6) == []
    assert await archive.decisions(kind="silence", since_ms=70) == [second, first]
    assert await archive.decisions(before=second.place) == [first]


async def test_of_a_view_the_one_of_the_latest_place_stays_and_one_that_is_gone_is_not_shown(archive: Archive) -> None:
    long = StoredView("silence", "\U0001f515" * 128, 1, 1 << 44, b"{}")
    await archive.record_views([StoredView("alert", "a", 1, 5, b"{}"), StoredView("silence", "a", 1, 5, b"[]"), long])
    await archive.record_views([StoredView("alert", "a", 2, 9, b'{"b":2}'), StoredView("alert", "b", 1, 9, b"{}")])
    await archive.record_views([StoredView("alert", "a", 1, 5, b"{}"), StoredView("silence", "a", 2, 6, b"")])
    await archive.refresh()
    assert await archive.views("alert") == [
        StoredView("alert", "a", 2, 9, b'{"b":2}'),
        StoredView("alert", "b", 1, 9, b"{}"),
    ]
    assert await archive.views("alert", view_id="b", limit=3) == [StoredView("alert", "b", 1, 9, b"{}")]
    assert await archive.views("silence") == [long]
    assert [one.id for one in await archive.views("alert", ids=["b", "c"])] == ["b"]
    assert await archive.views("alert", ids=[]) == []


def hour(series: str, number: int, total: int, hits: int, expected: float | None = None) -> StoredHour:
    """The `number`-th hour of a series."""
    band = (expected, 0.5, 0, 3) if expected is not None else (None, None, None, None)
    return StoredHour("negative", series, number * HOUR_MS, total, hits, *band)


async def test_hours_are_kept_once_and_found_by_series_and_time(archive: Archive) -> None:
    first, second, other = hour("entity/A", 1, 5, 2, 0.25), hour("entity/A", 2, 1, 0), hour("entity/B", 2, 9, 3, 1.5)
    await archive.record_hours([first, second, other, replace(first, signal="positive", hits=1)])
    await archive.record_hours([first, second])
    await archive.refresh()
    assert await archive.hours(["entity/A", "entity/B"], "negative", 0, 9 * HOUR_MS) == [first, second, other]
    assert await archive.hours(["entity/A"], "negative", 2 * HOUR_MS, 3 * HOUR_MS) == [second]
    assert await archive.hours(["entity/C"], "negative", 0, 9 * HOUR_MS) == []
    assert await archive.hours(["entity/A"], "unknown", 0, 9 * HOUR_MS) == []
    assert await archive.hours([], "negative", 0, 9 * HOUR_MS) == []
    assert await archive.hours(None, "negative", 2 * HOUR_MS, 9 * HOUR_MS) == [second, other]
    assert await archive.first_hour("negative", 0) == HOUR_MS
    assert await archive.first_hour("negative", HOUR_MS + 1) == 2 * HOUR_MS
    assert await archive.first_hour("negative", 3 * HOUR_MS) is None


async def test_hours_are_added_up_by_kind_with_most_hits_first(archive: Archive) -> None:
    rows = [hour("entity/A", 1, 5, 2, 0.25), hour("entity/A", 2, 1, 1), hour("entity/B", 2, 9, 4, 1.5)]
    await archive.record_hours(
        [*rows, hour("all", 1, 20, 9, 5.0), hour("entityless", 1, 7, 7), hour("entity/C", 8, 1, 1)]
    )
    await archive.refresh()
    a = SeriesSum("entity/A", 6, 3, hours=1, judged=2, expected=0.25, excess=0.5)
    b = SeriesSum("entity/B", 9, 4, hours=1, judged=4, expected=1.5, excess=0.5)
    assert await archive.hour_sums("entity", "negative", 0, 8 * HOUR_MS) == [b, a]
    assert await archive.hour_sums("entity", "negative", 0, 8 * HOUR_MS, limit=1) == [b]
    assert [one.series for one in await archive.hour_sums("", "negative", 0, 2 * HOUR_MS)] == [
        "all",
        "entityless",
        "entity/A",
    ]
    assert [one.series for one in await archive.hour_sums("all", "negative", 0, 9 * HOUR_MS)] == ["all"]


async def test_prune_takes_hours_too(archive: Archive) -> None:
    await archive.record_hours([hour("all", 1, 5, 2), hour("all", 50, 5, 2)])
    await archive.prune(4 * HOUR_MS)
    await archive.refresh()
    assert await archive.hours(["all"], "negative", 0, 99 * HOUR_MS) == [hour("all", 50, 5, 2)]


async def test_prune_takes_an_item_with_all_that_belongs_to_it(archive: Archive) -> None:
    await archive.write_items(
        [scored(1), scored(1, content="b", seen_ms=9 * HOUR_MS, offset=7), scored(1, offset=8), scored(5)]
    )
    assert await archive.prune(4 * HOUR_MS) == 2
    assert await archive.stats() == ArchiveStats(1, 0, 0)
    assert [hit.item.news.id for hit in await archive.search(Query(text="headline"))] == ["id5"]
    assert sum(bucket.total for bucket in await archive.rates("all", "negative", 0, 99 * HOUR_MS, HOUR_MS)) == 1
    assert await archive.write_items([scored(1)]) == [Outcome.ADDED]


records = st.builds(
    lambda number, content, seen, offset: scored(number, content=content, seen_ms=seen * HOUR_MS, offset=offset),
    st.integers(0, 3), st.sampled_from("abc"), st.integers(0, 3), st.just(0),
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(records, max_size=14), seed=st.integers(0, 2**16))
async def test_order_cuts_and_redo_change_nothing(
    drawn: list[Scored], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of one (id, content) the seen times agree, as a feed's copies do; then only the first position may differ."""
    times = {(item.news.id, item.news.content): item.news.seen_ms for item in reversed(drawn)}
    items = [
        msgspec.structs.replace(
            item,
            news=msgspec.structs.replace(item.news, seen_ms=times[item.news.id, item.news.content]),
            position=Position("e", 0, offset),
        )
        for offset, item in enumerate(drawn)
    ]
    reference = MemoryArchive()
    await reference.write_items(items)
    rng = random.Random(seed)
    shuffled = rng.sample(items, len(items))
    archive = SqliteArchive(tmp_path_factory.mktemp("archive") / "a.db")
    try:
        position = 0
        while position < len(shuffled):
            end = min(len(shuffled), position + rng.randint(1, 5))
            await archive.write_items(shuffled[position:end])
            if rng.random() < 0.6:
                position = end  # else: died after the write, before the commit
        assert await archive.stats() == await reference.stats()
        for number in range(4):
            got = [(v.news.seen_ms, v.news.content) for v in await archive.revisions(f"id{number}")]
            want = [(v.news.seen_ms, v.news.content) for v in await reference.revisions(f"id{number}")]
            assert got == want
        assert await archive.rates("all", "negative", 0, 10 * HOUR_MS, HOUR_MS) == await reference.rates(
            "all", "negative", 0, 10 * HOUR_MS, HOUR_MS
        )
    finally:
        await archive.close()


async def test_what_was_acknowledged_is_there_after_reopening(tmp_path: Path) -> None:
    first = SqliteArchive(tmp_path / "a.db")
    await first.write_items([scored(1)])
    second = open_archive(f"sqlite://{tmp_path / 'a.db'}")  # another process would see the same
    assert await second.stats() == ArchiveStats(1, 0, 0)
    await first.close()
    await second.close()


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 20)
    with pytest.raises(ArchiveError, match=r"a\.db"):
        SqliteArchive(path)


def test_another_scheme_is_refused() -> None:
    with pytest.raises(SettingsError, match="MOODWIRE_ARCHIVE_URL"):
        open_archive("ftp://somewhere/archive")


async def test_items_without_a_score_are_counted_by_language(archive: Archive) -> None:
    chinese = [
        msgspec.structs.replace(scored(number, content=content), language="zh", heads={})
        for number, content in ((1, "a"), (2, "a"), (2, "b"))
    ]
    await archive.write_items([scored(0), *chinese, msgspec.structs.replace(scored(3), language="ja", heads={})])
    assert await archive.unscored() == {"zh": 2, "ja": 1}


UNSTORABLE: dict[str, dict[str, object]] = {
    "id with a NUL": {"id": "a\0b"},
    "id of half a character": {"id": "\ud800"},
    "no id": {"id": ""},
    "endless id": {"id": "x" * 100_000},
    "content of half a character": {"content": "\udfff"},
    "title of half a character": {"title": "\ud800"},
    "seen beyond 64 bits": {"seen_ms": 10**30},
    "seen beyond 63 bits": {"seen_ms": 2**63},
    "seen before 1970": {"seen_ms": -1},
    "published beyond 64 bits": {"published_ms": -(10**30)},
    "extra beyond 64 bits": {"extra": {"a": {"b": [10**30]}}},
    "extra of half a character": {"extra": {"\ud800": 1}},
    "extra that is no JSON": {"extra": {"a": object()}},
}


@pytest.mark.parametrize("kind", UNSTORABLE)
async def test_what_cannot_be_stored_comes_back_refused_and_takes_no_neighbour_with_it(
    archive: Archive, kind: str
) -> None:
    bad = scored(2)
    bad = msgspec.structs.replace(bad, news=msgspec.structs.replace(bad.news, **UNSTORABLE[kind]))
    batch = [scored(1), bad, scored(3)]
    for _ in range(2):
        claims = await archive.claim(batch)
        first, refused, last = await archive.write_items(batch, claims)
        assert (first, last) == (Outcome.ADDED, Outcome.ADDED)
        if kind == "extra beyond 64 bits" and isinstance(archive, ElasticArchive):
            pytest.skip("JSON holds it, and the field is not indexed")
        assert isinstance(refused, Refused)
        assert refused.reason
        assert len(refused.detail) < 1_000
    assert (await archive.stats()) == ArchiveStats(2, 0, 0)
    assert [item.news.id for item in await archive.items_by_id(["id1"])] == ["id1"]
