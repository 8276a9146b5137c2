"""The stage `score` without Faust: redo, crashes and bad records; every record is archived, a duplicate or parked."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import pytest

from models import NullClassifier
from streams.archive.memory import MemoryArchive
from streams.archive.protocol import ArchiveStats, Claims, Unscored, Written
from streams.engine.ports import Outbox
from streams.engine.positions import SourcePositions
from streams.engine.runs import Record, Run
from streams.feeds.fieldmap import FieldMap
from streams.records import MentionBatch, Scored
from streams.stages.reader import TextReader
from streams.stages.score import CHUNK, ScoreOptions, ScoreStage
from streams.text.profile import load_profile
from streams.topics import END_HEADER, Topics
from tests.engine.positions_harness import Crash, FakeOutbox, Fuse

TOPICS = Topics("t.", "live")
NOW_MS = 1_750_000_000_000
PROFILE = load_profile("finance")
READER = TextReader(PROFILE, {}, ())
CLASSIFIER = NullClassifier({"sentiment": ("negative", "neutral", "positive"), "topic": ("Earnings", "Markets")})


class FragileArchive(MemoryArchive):
    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self.fuse = fuse

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> list[Written]:
        self.fuse.burn()
        return await super().write_items(items, claims)


def make_stage(archive: MemoryArchive, outbox: Outbox, *, live: bool = True) -> ScoreStage:
    options = ScoreOptions(topics=TOPICS, mentions_partitions=2, live=live)
    return ScoreStage(
        options, PROFILE, READER, {"en": CLASSIFIER}, archive, outbox, FieldMap.default(), clock=lambda: NOW_MS
    )


def record(offset: int, value: bytes | dict[str, object] | None, headers: tuple[tuple[str, bytes], ...] = ()) -> Record:
    data = msgspec.json.encode(value) if isinstance(value, dict) else value
    return Record(offset, None, data, NOW_MS - 100_000 + offset * 1_000, headers)


def run_of(records: Sequence[Record]) -> Run:
    return Run(TOPICS.news, 0, 1, "e", records, records[-1].offset + 1)


def news(number: int) -> dict[str, object]:
    return {"id": str(number), "title": f"Company number {number} reports results", "source": "wire", "language": "en"}


def batches(outbox: FakeOutbox) -> list[MentionBatch]:
    return [
        msgspec.json.decode(send.value, type=MentionBatch)
        for send in outbox.sent
        if send.topic == TOPICS.mentions and send.value is not None
    ]


async def test_bad_records_are_parked_and_their_neighbours_are_not_lost() -> None:
    archive, outbox = MemoryArchive(), FakeOutbox(Fuse())
    bad: list[bytes | dict[str, object] | None] = [
        b"{broken", b"[]", b"", None, b"\xff\xfe", b"null", {"title": 5.5e300}, {"source": "x"},
        {"title": "<p></p>", "source": "x"}, b"[" * 100_000, {"title": "\x00\u202e", "source": "x"},
    ]  # fmt: skip
    values = [value for index, one in enumerate(bad) for value in (one, news(index))]
    await make_stage(archive, outbox).handle(run_of([record(offset, value) for offset, value in enumerate(values)]))
    rejects = [send for send in outbox.sent if send.topic == TOPICS.rejects]
    assert (await archive.stats()).items == len(bad)
    assert len(rejects) == len(bad)
    assert len({send.key for send in rejects}) == len(bad)


class ClaimingArchive(MemoryArchive):
    """Tells which records were claimed when, and hands each batch a claim of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.claims: dict[int, list[str]] = {}
        self.kept: list[Claims] = []

    async def claim(self, records: Sequence[Unscored]) -> Claims:  # type: ignore[override]
        self.kept.append(Claims())
        self.claims[id(self.kept[-1])] = [one.news.title for one in records]
        return self.kept[-1]

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> list[Written]:
        assert self.claims[id(claims)] == [item.news.title for item in items]
        return await super().write_items(items, claims)


async def test_each_batch_is_written_with_its_own_claims() -> None:
    archive, outbox = ClaimingArchive(), FakeOutbox(Fuse())
    values: list[bytes | dict[str, object]] = [news(number) for number in range(2 * CHUNK + 10)]
    values[5] = b"{broken"
    await make_stage(archive, outbox).handle(run_of([record(offset, value) for offset, value in enumerate(values)]))
    assert [len(archive.claims[id(one)]) for one in archive.kept] == [CHUNK - 1, CHUNK, 10]
    assert (await archive.stats()).items == 2 * CHUNK + 9


async def test_two_feeds_that_number_alike_lose_nothing() -> None:
    archive, outbox = MemoryArchive(), FakeOutbox(Fuse())
    values = [news(number) | {"source": source} for number in range(3) for source in ("one", "two")]
    await make_stage(archive, outbox).handle(run_of([record(offset, value) for offset, value in enumerate(values)]))
    assert (await archive.stats()).items == 6


async def test_a_duplicate_is_not_mentioned_again_and_a_redo_is() -> None:
    archive, outbox = MemoryArchive(), FakeOutbox(Fuse())
    stage = make_stage(archive, outbox)
    records = [record(0, news(1)), record(1, news(1) | {"seen": NOW_MS})]
    await stage.handle(run_of(records))
    await stage.handle(run_of(records))
    offsets = [[item.offset for item in batch.items] for batch in batches(outbox) if batch.items]
    assert all(offset == [0] for offset in offsets)
    assert (await archive.stats()).duplicates == 1


async def test_a_revision_is_shown_and_not_mentioned_whenever_it_comes() -> None:
    archive, outbox = MemoryArchive(), FakeOutbox(Fuse())
    stage = make_stage(archive, outbox)
    corrected = news(1) | {"title": "Corrected: company number 1 reports other results"}
    await stage.handle(run_of([record(0, news(1)), *(record(number, news(number)) for number in range(2, 9))]))
    await stage.handle(run_of([record(90, corrected)]))
    await stage.handle(run_of([record(90, corrected)]))  # and a redo
    assert await archive.stats() == ArchiveStats(8, 1, 0)
    assert 90 not in {item.offset for batch in batches(outbox) for item in batch.items}
    assert sum(send.topic == TOPICS.scored and b"Corrected" in (send.value or b"") for send in outbox.sent) == 2


async def test_every_mentions_partition_learns_of_the_progress() -> None:
    outbox = FakeOutbox(Fuse())
    end = record(1, None, ((END_HEADER, b"123456"),))
    await make_stage(MemoryArchive(), outbox, live=False).handle(run_of([end]))
    assert [(batch.progress_ms, batch.items) for batch in batches(outbox)] == [(123456, ())] * 2
    assert [send.partition for send in outbox.sent] == [0, 1]


@pytest.mark.parametrize(("live", "ticks"), [(True, 2), (False, 0)])
async def test_time_follows_the_clock_only_live(live: bool, ticks: int) -> None:
    outbox = FakeOutbox(Fuse())
    stage = make_stage(MemoryArchive(), outbox, live=live)
    await stage.idle(0, NOW_MS)
    assert [(batch.partitions, batch.progress_ms) for batch in batches(outbox)] == [(1, NOW_MS)] * ticks
    await stage.handle(run_of([record(0, news(1))]))
    outbox.sent.clear()
    await stage.idle(0, NOW_MS + 5_000)
    assert [batch.progress_ms for batch in batches(outbox)] == [NOW_MS + 5_000] * ticks


async def test_an_item_published_long_before_it_was_seen_is_archived_and_not_counted() -> None:
    archive, outbox = MemoryArchive(), FakeOutbox(Fuse())
    old = news(1) | {"published": NOW_MS - 7 * 3_600_000}
    await make_stage(archive, outbox).handle(run_of([record(0, old)]))
    assert (await archive.stats()).items == 1
    assert not any(batch.items for batch in batches(outbox))


async def test_a_far_future_date_moves_no_progress() -> None:
    outbox = FakeOutbox(Fuse())
    values = [news(1), news(2) | {"published": "2099-01-01T00:00:00Z"}]
    await make_stage(MemoryArchive(), outbox).handle(run_of([record(o, value) for o, value in enumerate(values)]))
    assert max(batch.progress_ms for batch in batches(outbox)) <= NOW_MS


async def _drive(records: Sequence[Record], rng: random.Random, *, crashes: bool) -> tuple[MemoryArchive, FakeOutbox]:
    fuse = Fuse()
    archive, outbox = FragileArchive(fuse), FakeOutbox(fuse)
    stage, position = None, 0
    while position < len(records):
        stage = stage or make_stage(archive, outbox)
        end = min(len(records), position + rng.randint(1, 9))
        fuse.left = rng.randint(0, 14) if crashes and rng.random() < 0.4 else None
        try:
            await stage.handle(run_of(records[position:end]))
        except Crash:
            stage = None
            continue
        if crashes and rng.random() < 0.2:
            stage = None  # died before the commit
        else:
            position = end
    return archive, outbox


def _items(archive: MemoryArchive) -> dict[str, Scored]:
    return {item.news.id: item for item in archive._items()}


def _counted(outbox: FakeOutbox) -> set[tuple[int, str, tuple[str, ...]]]:
    """What `watch` lets through: fresh by the partition rule, per mentions partition."""
    positions: dict[int | None, SourcePositions] = {}
    counted: list[tuple[int, str, tuple[str, ...]]] = []
    for send in outbox.sent:
        if send.topic == TOPICS.mentions and send.value is not None:
            batch = msgspec.json.decode(send.value, type=MentionBatch)
            own = positions.setdefault(send.partition, SourcePositions())
            counted += [(item.offset, item.id, item.series) for item in own.fresh(batch)]
            own.advance(batch)
    assert len(counted) == len(set(counted)), "counted twice"
    return set(counted)


async def test_crashes_between_any_two_effects_change_nothing() -> None:
    for seed in range(40):
        rng = random.Random(seed)
        values: list[bytes | dict[str, object]] = [
            b"{broken" if rng.random() < 0.1 else news(rng.randint(0, 30)) for _ in range(rng.randint(5, 50))
        ]
        records = [record(offset, value) for offset, value in enumerate(values)]
        got, got_box = await _drive(records, rng, crashes=True)
        want, want_box = await _drive(records, random.Random(0), crashes=False)
        assert await got.stats() == await want.stats(), f"seed {seed}"
        assert _items(got) == _items(want), f"seed {seed}"
        assert _counted(got_box) == _counted(want_box), f"seed {seed}"
        parked = [{send.key for send in box.sent if send.topic == TOPICS.rejects} for box in (got_box, want_box)]
        assert parked[0] == parked[1]
