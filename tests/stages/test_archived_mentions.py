"""The mentions that are made from an archive: all of it once, in an order in which the stage `watch` may count it."""

from __future__ import annotations

import random

import msgspec
import pytest

from alerts import AlertConfig
from streams.archive.memory import MemoryArchive
from streams.engine.runs import Record
from streams.records import VERSION, MentionBatch, News, Position, Scored, Story
from streams.stages.archived_mentions import NEVER_MS, Layout, archived_mentions
from streams.stages.watch_partition import WatchPartition
from streams.text.profile import load_profile
from tests.stages.finance_items import counted, sentiment

CONFIG = AlertConfig.of(load_profile("finance").rules)
START_MS = 1_750_000_000_000
STEP_MS = 20_000
decoder = msgspec.json.Decoder(MentionBatch)


def scored(number: int, epoch: str, partition: int, *, late: bool = False) -> Scored:
    """The item that was seen `number` steps after the start; offsets rise with it."""
    seen_ms = START_MS + number * STEP_MS
    item = Scored(
        news=News(id=f"{number:032x}", content="a", title=f"Headline {number}", source="wire", seen_ms=seen_ms),
        position=Position(epoch, partition, number),
        scored_ms=seen_ms,
        language="en",
        heads={"sentiment": sentiment("negative", 0.8, 0.1, 0.1)},
        series={},
        entities=(),
        watchlists=(),
        story=Story(f"{number:032x}"),
        signature=f"{number:016x}",
        model="m",
        model_version="1",
        late=late,
    )
    return counted(item)


async def filled(items: list[Scored]) -> MemoryArchive:
    archive = MemoryArchive()
    await archive.write_items(random.Random(1).sample(items, len(items)))
    return archive


async def batches(archive: MemoryArchive, layout: Layout, known: dict[int, int]) -> list[MentionBatch]:
    sends = [send async for _, some in archived_mentions(archive, layout, known) for send in some]
    return [decoder.decode(send.value or b"") for send in sends if send.partition == 0]


def watched(told: list[MentionBatch]) -> tuple[WatchPartition, int]:
    """A partition of `watch` that was told this, and the most items that ever waited for the watermark."""
    partition, most = WatchPartition(CONFIG, None, []), 0
    partition.begin("own")
    waiting: list[int] = []
    for offset, batch in enumerate(told):
        partition.apply(Record(offset, None, msgspec.json.encode(batch), START_MS))
        waiting = [seen for seen in [*waiting, *(item.seen_ms for item in batch.items)] if seen > _passed(partition)]
        most = max(most, len(waiting))
    return partition, most


def _passed(partition: WatchPartition) -> int:
    return -1 if partition.watermark is None else partition.watermark


@pytest.mark.parametrize("page", [1, 7, 2_000])
async def test_every_item_is_fresh_once_and_the_watermark_follows(page: int) -> None:
    """Two epochs, in the later one a partition more; the third of four partitions never had an item."""
    old = [scored(number, "old", number % 2) for number in range(200)]
    new = [scored(number, "new", (0, 1, 3)[number % 3]) for number in range(200, 500)]
    told = await batches(await filled([*old, *new]), Layout("mentions", 1, "new", 4, page), {2: 5, 3: START_MS * 2})
    partition, most = watched(told)
    fresh = WatchPartition(CONFIG, None, [])
    positions = fresh._row.positions
    counted = []
    for batch in told:
        counted += [item.id for item in positions.fresh(batch)]
        positions.advance(batch)
    assert sorted(counted) == sorted(item.news.id for item in [*old, *new])
    assert partition._row.progress[3] == START_MS * 2
    lateness = CONFIG.lateness_ms // STEP_MS + 1
    assert page == 2_000 or most <= 4 * page + 3 * lateness + 8
    ends = {batch.partition: batch.progress_ms for batch in told}
    assert all(ends[number] >= START_MS for number in (0, 1, 3))


async def test_an_item_whose_clock_was_ahead_makes_nothing_late() -> None:
    items = [scored(number, "e", 0) for number in range(40)]
    items[20].news.seen_ms += 23 * 3_600_000
    told = await batches(await filled(items), Layout("mentions", 1, "e", 1, 5), {})
    for position, batch in enumerate(told):
        following = [item.seen_ms for later in told[position + 1 :] for item in later.items]
        assert all(batch.progress_ms <= seen_ms for seen_ms in following)


async def test_what_was_redone_later_is_not_counted_again() -> None:
    archive = await filled([scored(number, "e", 0) for number in range(10)])
    told = await batches(archive, Layout("mentions", 1, "e", 1), {})
    partition, _ = watched(told)
    again = MentionBatch(VERSION, "e", 0, 1, START_MS, tuple(item for batch in told for item in batch.items))
    assert partition._row.positions.fresh(again) == ()


async def test_late_items_are_not_mentioned_and_a_partition_that_is_gone_holds_nothing_back() -> None:
    archive = await filled([scored(1, "e", 0), scored(2, "e", 0, late=True), scored(3, "before", 5)])
    told = await batches(archive, Layout("mentions", 1, "e", 1), {0: START_MS * 3})
    assert {item.offset for batch in told for item in batch.items} == {1, 3}
    partition, _ = watched(told)
    assert partition._row.progress == {0: START_MS * 3} | dict.fromkeys(range(1, 6), NEVER_MS)
    assert partition.watermark == START_MS * 3 - CONFIG.lateness_ms


async def test_a_revision_is_not_mentioned() -> None:
    items = [scored(number, "e", 0) for number in range(6)]
    revision = scored(9, "e", 0)
    revision.news.id, revision.news.content = items[2].news.id, "b"
    told = await batches(await filled([*items, revision]), Layout("mentions", 1, "e", 1), {})
    assert sorted(item.offset for batch in told for item in batch.items) == list(range(6))


async def test_an_empty_archive_tells_the_progress_alone() -> None:
    told = await batches(MemoryArchive(), Layout("mentions", 1, "e", 2), {0: 7, 1: 9})
    assert [(batch.epoch, batch.partition, batch.progress_ms) for batch in told[-2:]] == [("e", 0, 7), ("e", 1, 9)]
    assert not any(batch.items for batch in told)
