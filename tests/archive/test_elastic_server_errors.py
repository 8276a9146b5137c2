"""What only a real Elasticsearch can say: mapping errors, blocks, external versions, two writers, days and pruning."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from streams.archive.elastic.archive import ElasticArchive
from streams.archive.elastic.names import day_of
from streams.archive.elastic.options import ElasticOptions
from streams.archive.elastic.templates import FLUSH_AGE, REFRESH, TEMPLATE_VERSION, templates
from streams.archive.memory import MemoryArchive
from streams.archive.protocol import ArchiveError, ArchiveStats, Outcome, Refused
from streams.errors import Retry
from streams.records import Position, Scored
from tests.archive.test_archive_contract import HOUR_MS, alert, scored

pytestmark = pytest.mark.integration

NOW_MS = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 24 * HOUR_MS


def opened(url: str, prefix: str, now_ms: int = NOW_MS) -> ElasticArchive:
    return ElasticArchive(url, ElasticOptions(prefix=prefix, replicas=0, retention_days=10), clock=lambda: now_ms)


@pytest.fixture
async def elastic(elastic_url: str, elastic_prefix: str) -> AsyncIterator[ElasticArchive]:
    archive = opened(elastic_url, elastic_prefix)
    yield archive
    await archive.close()


async def indices(archive: ElasticArchive) -> list[str]:
    found = await archive.session.call("GET", f"/{archive.names.prefix}*", None, {"expand_wildcards": "open"})
    return sorted(name.removeprefix(archive.names.prefix) for name in found)


async def documents(archive: ElasticArchive, alias: str) -> list[dict[str, Any]]:
    await archive.refresh()
    answer = await archive.session.call("POST", f"/{alias}/_search", {"size": 1000})
    return [hit["_source"] for hit in answer["hits"]["hits"]]


async def test_items_go_to_the_index_of_their_day_and_the_rest_to_the_overflow(elastic: ElasticArchive) -> None:
    ages_ms = {1: 0, 2: 9 * DAY_MS, 3: 12 * DAY_MS, 4: -3 * DAY_MS}
    await elastic.write_items([scored(number, seen_ms=NOW_MS - age_ms) for number, age_ms in ages_ms.items()])
    days = [name for name in await indices(elastic) if name.startswith("items-")]
    assert days == ["items-2026.11.15", "items-2026.11.24", "items-overflow"]
    assert len(await documents(elastic, elastic.names.of_day("overflow"))) == 2
    assert len(await documents(elastic, elastic.names.items)) == 4


async def test_a_copy_seen_on_another_day_is_a_duplicate(elastic: ElasticArchive) -> None:
    first = scored(1, seen_ms=NOW_MS)
    copy = scored(1, seen_ms=NOW_MS - 5 * DAY_MS, offset=7)
    assert await elastic.write_items([first]) == [Outcome.ADDED]
    assert await elastic.write_items([copy]) == [Outcome.DUPLICATE]
    assert await elastic.stats() == ArchiveStats(1, 0, 1)


async def test_a_redo_after_midnight_finds_the_first_index(elastic_url: str, elastic_prefix: str) -> None:
    """An item at the edge of the retention belongs to the overflow a day later: its first place stands."""
    item = scored(1, seen_ms=NOW_MS - 10 * DAY_MS)
    for now_ms in (NOW_MS, NOW_MS + 2 * DAY_MS):
        archive = opened(elastic_url, elastic_prefix, now_ms)
        assert await archive.write_items([item]) == [Outcome.ADDED]
        assert await archive.stats() == ArchiveStats(1, 0, 0)
        await archive.close()
    assert day_of(item.news.seen_ms, NOW_MS, 10) != day_of(item.news.seen_ms, NOW_MS + 2 * DAY_MS, 10)


async def test_a_mapping_error_refuses_that_item_alone_and_a_mended_copy_is_new(elastic: ElasticArchive) -> None:
    """A stranger's template made this day's index first, and with it `labels.language` a number."""
    await elastic.setup()
    index = elastic.names.of_day("2026.11.24")
    wrong = {"mappings": {"properties": {"labels": {"properties": {"language": {"type": "long"}}}}}}
    await elastic.session.call("PUT", f"/{index}", wrong)
    good = scored(2, seen_ms=NOW_MS - DAY_MS)
    bad = scored(1, seen_ms=NOW_MS)
    first, added, again = await elastic.write_items([bad, good, scored(1, seen_ms=NOW_MS, offset=5)])
    assert isinstance(first, Refused)
    assert first.reason == "document_parsing_exception"
    assert "labels.language" in first.detail
    assert (added, again) == (Outcome.ADDED, first)
    await elastic.session.call("DELETE", f"/{index}")
    assert await elastic.write_items([scored(1, seen_ms=NOW_MS, offset=9)]) == [Outcome.ADDED]
    assert {item.news.id for item in await elastic.items_by_id(["id1", "id2"])} == {"id1", "id2"}


async def test_an_older_archive_gets_what_it_lacks(elastic: ElasticArchive) -> None:
    await elastic.write_items([scored(1, seen_ms=NOW_MS)])
    days, registry = elastic.names.of_day("2026.11.24"), elastic.names.registry
    older = {"index": {"translog.flush_threshold_age": None, "refresh_interval": None}}
    await elastic.session.call("PUT", f"/{days},{registry}/_settings", older)
    await elastic.session.call("PUT", f"/{registry}/_settings", {"index": {"refresh_interval": "7s"}})
    await elastic.setup()
    found = await elastic.session.call("GET", f"/{days},{registry}/_settings")
    settings = {name: one["settings"]["index"] for name, one in found.items()}
    assert {one["translog"]["flush_threshold_age"] for one in settings.values()} == {FLUSH_AGE}
    assert settings[days]["refresh_interval"] == REFRESH
    assert settings[registry]["refresh_interval"] == "7s"  # as somebody wanted it


async def test_documents_of_an_older_version_are_refused_with_the_way_to_start_afresh(
    elastic: ElasticArchive, elastic_url: str, elastic_prefix: str
) -> None:
    await elastic.write_items([scored(1, seen_ms=NOW_MS)])
    await elastic.refresh()
    name = f"{elastic_prefix}items"
    template = templates(elastic.names, elastic.options)[name]
    await elastic.session.call("PUT", f"/_index_template/{name}", template | {"version": TEMPLATE_VERSION - 1})
    heard: list[str | None] = []
    later = ElasticArchive(elastic_url, elastic.options, on_trouble=heard.append)
    afresh = (
        rf"{elastic_prefix}\* have version {TEMPLATE_VERSION - 1}, .* delete the indices .*`moodwire archive rebuild`"
    )
    for _ in range(2):
        with pytest.raises(Retry, match=afresh):
            await later.write_items([scored(2, seen_ms=NOW_MS)])
    assert len(heard) == 1
    await later.close()
    with pytest.raises(ArchiveError, match=afresh):
        await elastic.setup()
    await elastic.session.call("DELETE", f"/{','.join([elastic.names.of_day('2026.11.24'), elastic.names.registry])}")
    await elastic.setup()
    assert await elastic.write_items([scored(2, seen_ms=NOW_MS)]) == [Outcome.ADDED]


async def lose(elastic: ElasticArchive, *, templates_alone: bool = False) -> None:
    """What an Elasticsearch has lost whose disk was wiped."""
    await elastic.session.call("DELETE", f"/_index_template/{elastic.names.prefix}*")
    if not templates_alone:
        await elastic.session.call("DELETE", f"/{elastic.names.prefix}*")


async def refused(elastic: ElasticArchive, words: str) -> None:
    for _ in range(2):
        with pytest.raises(Retry, match=words):
            await elastic.write_items([scored(2, seen_ms=NOW_MS, offset=2)])


async def test_a_server_that_comes_back_empty_is_one_trouble_until_somebody_acts(
    elastic: ElasticArchive, elastic_url: str, elastic_prefix: str
) -> None:
    heard: list[str | None] = []
    elastic.session.on_trouble = heard.append
    await elastic.write_items([scored(1, seen_ms=NOW_MS)])
    await lose(elastic)
    made = f"{elastic_prefix}registry were made without moodwire's templates"
    await refused(elastic, f"{made}.* delete these indices.*`moodwire archive rebuild`")
    await elastic.stats()  # what goes through ends no trouble that it is not about
    assert len(heard) == 1
    later = opened(elastic_url, elastic_prefix)  # a restart changes nothing
    await refused(later, made)
    assert made in await later.refusal()
    with pytest.raises(ArchiveError, match=made):
        await later.setup()
    await elastic.session.call("DELETE", f"/{elastic_prefix}registry")
    await refused(elastic, "templates .* are gone")
    await later.setup()
    await later.close()
    assert await elastic.write_items([scored(2, seen_ms=NOW_MS)]) == [Outcome.ADDED]
    assert heard[1:] == [None]
    assert len(await documents(elastic, elastic.names.items)) == 1


async def test_templates_that_are_lost_are_found_at_the_next_index(elastic: ElasticArchive) -> None:
    await elastic.write_items([scored(1, seen_ms=NOW_MS)])
    await lose(elastic, templates_alone=True)
    day = elastic.names.of_day("2026.11.23")
    with pytest.raises(Retry, match=f"{day} were made without"):
        await elastic.write_items([scored(2, seen_ms=NOW_MS - DAY_MS)])
    await elastic.session.call("DELETE", f"/{day}")
    await elastic.setup()
    assert await elastic.write_items([scored(2, seen_ms=NOW_MS - DAY_MS)]) == [Outcome.ADDED]
    assert len(await documents(elastic, elastic.names.items)) == 2


async def test_a_lost_connection_is_a_reason_to_look_again(elastic: ElasticArchive) -> None:
    await elastic.write_items([scored(1, seen_ms=NOW_MS)])
    await lose(elastic)
    elastic.session.losses += 1
    await refused(elastic, "templates .* are gone")
    assert await indices(elastic) == []


async def test_a_set_up_that_fails_is_made_again_until_it_passes(
    elastic: ElasticArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise Retry("the indices take no new fields", 1.0)

    with monkeypatch.context() as patch:
        patch.setattr("streams.archive.elastic.archive.upgrade", broken)
        await refused(elastic, "take no new fields")
    assert not await elastic.is_set_up()
    assert await elastic.write_items([scored(1, seen_ms=NOW_MS)]) == [Outcome.ADDED]
    assert await elastic.is_set_up()


async def test_a_refused_revision_gives_the_item_back_its_mark(elastic: ElasticArchive) -> None:
    item, earlier = scored(1, seen_ms=NOW_MS), scored(1, content="b", seen_ms=NOW_MS - DAY_MS, offset=2)
    await elastic.write_items([item])
    wrong = {"mappings": {"properties": {"labels": {"properties": {"language": {"type": "long"}}}}}}
    await elastic.session.call("PUT", f"/{elastic.names.of_day('2026.11.23')}", wrong)
    (answer,) = await elastic.write_items([earlier])
    assert isinstance(answer, Refused)
    assert await elastic.items_by_id(["id1"]) == [item]
    assert await elastic.stats() == ArchiveStats(1, 0, 0)


async def test_a_read_only_index_makes_the_partition_wait(elastic: ElasticArchive) -> None:
    await elastic.write_items([scored(1, seen_ms=NOW_MS)])
    troubles: list[str | None] = []
    elastic.session.on_trouble = troubles.append
    settings = f"/{elastic.names.of_day('2026.11.24')}/_settings"
    await elastic.session.call("PUT", settings, {"index.blocks.write": True})
    for _ in range(2):
        with pytest.raises(Retry, match="cluster_block_exception"):
            await elastic.write_items([scored(2, seen_ms=NOW_MS)])
    await elastic.session.call("PUT", settings, {"index.blocks.write": False})
    assert await elastic.write_items([scored(2, seen_ms=NOW_MS)]) == [Outcome.ADDED]
    assert await elastic.stats() == ArchiveStats(2, 0, 0)
    assert troubles[0] is not None
    assert "cluster_block_exception" in troubles[0]
    assert troubles[-1] is None


async def test_a_late_writer_cannot_undo_a_newer_alert(elastic: ElasticArchive) -> None:
    await elastic.write_alerts([alert(3, "resolved")])
    await elastic.write_alerts([alert(1, "firing"), alert(2, "escalated"), alert(3, "resolved")])
    present = await documents(elastic, elastic.names.alerts)
    assert [one["moodwire"]["alert"]["state"] for one in present] == ["resolved"]
    assert [one.state for one in await elastic.alert_history("x")] == ["firing", "escalated", "resolved"]


async def test_a_revision_stored_before_its_item_keeps_no_mark(elastic: ElasticArchive) -> None:
    """The writer of the first version dies between claim and document; another finds an earlier version."""
    late, early = scored(1, content="b", seen_ms=NOW_MS), scored(1, content="a", seen_ms=NOW_MS - HOUR_MS, offset=2)
    await elastic.setup()
    await elastic.claim([late])  # and no more
    assert await elastic.write_items([early]) == [Outcome.REVISION]  # it came later in the log: it does not count
    assert await elastic.stats() == ArchiveStats(1, 0, 0)
    assert await elastic.write_items([late]) == [Outcome.ADDED]
    assert await elastic.stats() == ArchiveStats(1, 1, 0)
    assert await elastic.items_by_id(["id1"]) == [early]
    shown = await documents(elastic, elastic.names.items)
    assert [one["moodwire"]["content"] for one in shown] == ["a"]


async def test_many_writers_with_crashes_and_redo_leave_what_one_would(elastic_url: str, elastic_prefix: str) -> None:
    """Four partitions hold copies and versions of the same ids; each is written in cuts, some twice, all at once."""
    rng = random.Random(7)
    partitions = [[_drawn(rng, partition, offset) for offset in range(60)] for partition in range(4)]
    times: dict[tuple[str, str], int] = {}
    for records in partitions:
        for number, item in enumerate(records):
            seen_ms = times.setdefault((item.news.id, item.news.content), item.news.seen_ms)
            news = msgspec.structs.replace(item.news, seen_ms=seen_ms)
            records[number] = msgspec.structs.replace(item, news=news)
    reference = MemoryArchive()
    await reference.write_items([item for records in partitions for item in records])
    archives = [opened(elastic_url, elastic_prefix) for _ in partitions]
    await archives[0].setup()
    await asyncio.gather(*(_replay(*pair, rng) for pair in zip(archives, partitions, strict=True)))
    assert await archives[0].stats() == await reference.stats()
    for number in range(20):
        got = await archives[0].revisions(f"id{number}")
        want = await reference.revisions(f"id{number}")
        assert [(v.news.seen_ms, v.news.content) for v in got] == [(v.news.seen_ms, v.news.content) for v in want]
    shown = await documents(archives[0], archives[0].names.items)
    marked = {one["moodwire"]["id"]: one["moodwire"]["content"] for one in shown}
    ids = [f"id{number}" for number in range(20)]
    assert marked == {item.news.id: item.news.content for item in await reference.items_by_id(ids)}
    for archive in archives:
        await archive.close()


def _drawn(rng: random.Random, partition: int, offset: int) -> Scored:
    seen_ms = NOW_MS - rng.randrange(4) * DAY_MS
    item = scored(rng.randrange(20), content=rng.choice("abc"), seen_ms=seen_ms)
    return msgspec.structs.replace(item, position=Position("e", partition, offset))


async def _replay(archive: ElasticArchive, records: list[Scored], rng: random.Random) -> None:
    position = 0
    while position < len(records):
        end = position + rng.randint(1, 15)
        try:
            claims = await archive.claim(records[position:end]) if rng.random() < 0.7 else None
            if claims and rng.random() < 0.2:
                continue  # a crash while they were scored
            write = archive.write_items(records[position:end], claims)
            await asyncio.wait_for(write, timeout=rng.choice([0.03, 60]))
        except TimeoutError:
            continue  # a crash in the middle of a write: the run is redone, cut elsewhere
        position = end if rng.random() < 0.7 else position


async def test_pruning_drops_whole_days_and_keeps_the_rest_exact(elastic: ElasticArchive) -> None:
    old, new = NOW_MS - 8 * DAY_MS, NOW_MS - DAY_MS
    await elastic.write_items(
        [
            scored(1, seen_ms=old),
            scored(1, content="b", seen_ms=new, offset=11),  # a revision of an old item, in a day that stays
            scored(1, seen_ms=old, offset=12),  # a duplicate
            scored(2, seen_ms=new),
            scored(2, seen_ms=new, offset=13),
            scored(3, seen_ms=NOW_MS - 30 * DAY_MS),  # in the overflow
        ]
    )
    assert await elastic.prune(NOW_MS - 3 * DAY_MS) == 3
    assert await elastic.stats() == ArchiveStats(1, 0, 1)
    assert "items-2026.11.16" not in await indices(elastic)
    assert await elastic.prune(NOW_MS - 3 * DAY_MS) == 0
    assert await elastic.write_items([scored(1, seen_ms=old, offset=20)]) == [Outcome.ADDED]


async def test_what_was_acknowledged_is_there_for_another_client(
    elastic: ElasticArchive, elastic_url: str, elastic_prefix: str
) -> None:
    await elastic.write_items([scored(1, seen_ms=NOW_MS)])
    other = opened(elastic_url, elastic_prefix)
    assert await other.items_by_id(["id1"]) == [scored(1, seen_ms=NOW_MS)]
    await other.close()


NASTY = {
    "keys": {"extra": {"": 1, ".": 2, "a..b": 3, "a.b": {"c": [1, "x", None]}, "a": 5, "_id": "x", "@timestamp": []}},
    "long": {"title": "w" * 2_000, "text": "word " * 20_000, "url": "https://x.example/" + "p" * 40_000},
    "word": {"title": "x", "text": "y" * 100_000, "source": "s" * 40_000},
    "signs": {"title": "\u202e🙂\u0001 Ünïcode", "text": "\u2028", "source": "a/b:c*", "url": "no url"},
    "times": {"seen_ms": 2**45, "published_ms": -(2**45)},
    "tags": {"entities": ("", " ", "e" * 40_000), "language": ""},
}


@pytest.mark.parametrize("case", sorted(NASTY))
async def test_no_text_of_a_stranger_is_refused(elastic: ElasticArchive, case: str) -> None:
    plain = scored(1, seen_ms=NOW_MS)
    item = msgspec.structs.replace(plain, news=msgspec.structs.replace(plain.news, **NASTY[case]))  # type: ignore[arg-type]
    assert await elastic.write_items([item]) == [Outcome.ADDED]
    assert await elastic.items_by_id(["id1"]) == [item]
