"""Event time is the worker's own: no record, header or foreign clock moves it far beyond."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import AlertConfig, AlertEvent
from streams.archive.memory import MemoryArchive
from streams.engine.runs import Record, Run
from streams.engine.ticks import ClockLimit
from streams.feeds.fieldmap import FieldMap
from streams.records import VERSION, MentionBatch, MentionItem
from streams.stages.drafts import RecordReader
from streams.stages.reader import TextReader
from streams.stages.score import ScoreOptions, ScoreStage
from streams.stages.watch_partition import WatchPartition
from streams.text.profile import load_profile
from streams.text.stories import StoryIndex
from streams.topics import END_HEADER, Topics
from tests.engine.positions_harness import FakeOutbox, Fuse
from tests.stages.test_score_stage import CLASSIFIER

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOW_MS = 1_750_000_000_000 // HOUR_MS * HOUR_MS
AHEAD_MS = 1_000
TOPICS = Topics("t.", "live")
PROFILE = load_profile("finance")
READER = TextReader(PROFILE, {}, ())
CONFIG = AlertConfig.of(PROFILE.rules)


class Clock:
    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def score(archive: MemoryArchive, outbox: FakeOutbox, clock: Clock, *, live: bool = True) -> ScoreStage:
    options = ScoreOptions(topics=TOPICS, live=live, ahead_ms=AHEAD_MS)
    return ScoreStage(options, PROFILE, READER, {"en": CLASSIFIER}, archive, outbox, FieldMap.default(), clock)


def item(number: int, title: str = "Company reports results") -> bytes:
    return msgspec.json.encode({"id": str(number), "title": title, "source": "wire", "language": "en"})


def run_of(*records: Record) -> Run:
    return Run(TOPICS.news, 0, 1, "e", records, records[-1].offset + 1)


def batches(outbox: FakeOutbox) -> list[MentionBatch]:
    values = [send.value for send in outbox.sent if send.topic == TOPICS.mentions and send.value]
    return [msgspec.json.decode(value, type=MentionBatch) for value in values]


@pytest.mark.parametrize("ahead_ms", [2 * AHEAD_MS, HOUR_MS, 23 * HOUR_MS])
async def test_an_item_from_a_clock_that_is_ahead_keeps_its_time_and_moves_none(ahead_ms: int) -> None:
    archive, outbox, clock = MemoryArchive(), FakeOutbox(Fuse()), Clock()
    records = run_of(Record(0, None, item(1), NOW_MS + ahead_ms), Record(1, None, item(2), NOW_MS))
    await score(archive, outbox, clock).handle(records)
    clock.now_ms += 20 * MINUTE_MS
    await score(archive, outbox, clock).handle(records)  # by another worker, after a crash
    first, second = batches(outbox)
    assert (first.progress_ms, second.progress_ms) == (
        NOW_MS + AHEAD_MS, NOW_MS + min(20 * MINUTE_MS + AHEAD_MS, ahead_ms)
    )  # fmt: skip
    assert first.items == second.items
    assert [one.seen_ms for one in first.items] == [NOW_MS + ahead_ms, NOW_MS]
    archived = await archive.items_after(epoch="e", partition=0, after_offset=-1, limit=9)
    assert [one.news.seen_ms for one in archived] == [NOW_MS + ahead_ms, NOW_MS]


async def test_what_waits_behind_an_item_that_is_ahead_is_not_late() -> None:
    """After an outage a backlog is read: the item says nothing of how far that has come."""
    outbox = FakeOutbox(Fuse())
    old, ahead = Record(0, None, item(1), NOW_MS - 2 * DAY_MS), Record(1, None, item(2), NOW_MS + 23 * HOUR_MS)
    await score(MemoryArchive(), outbox, Clock()).handle(Run(TOPICS.news, 0, 1, "e", [old, ahead], 9))
    await score(MemoryArchive(), outbox, Clock()).handle(Run(TOPICS.news, 0, 1, "e", [ahead], 9))
    assert [batch.progress_ms for batch in batches(outbox)] == [NOW_MS - 2 * DAY_MS, 0]


async def test_in_a_replay_time_follows_the_records_alone() -> None:
    outbox = FakeOutbox(Fuse())
    stage = score(MemoryArchive(), outbox, Clock(), live=False)
    await stage.handle(run_of(Record(0, None, item(1), NOW_MS + 23 * HOUR_MS)))
    assert [batch.progress_ms for batch in batches(outbox)] == [NOW_MS + 23 * HOUR_MS]


END = str(NOW_MS + 23 * HOUR_MS).encode()


@pytest.mark.parametrize(("live", "value"), [(True, END), (True, b"9000000000000000"), (False, b"9000000000000000")])
async def test_the_end_of_a_replay_is_a_bad_record_anywhere_else(live: bool, value: bytes) -> None:
    archive, outbox = MemoryArchive(), FakeOutbox(Fuse())
    end = Record(1, None, None, NOW_MS, ((END_HEADER, value),))
    await score(archive, outbox, Clock(), live=live).handle(run_of(Record(0, None, item(1), NOW_MS), end))
    assert [batch.progress_ms for batch in batches(outbox)] == [NOW_MS]
    assert [send.topic for send in outbox.sent if send.topic == TOPICS.rejects] == [TOPICS.rejects]
    assert (await archive.stats()).items == 1


@given(st.binary(max_size=40) | st.integers().map(lambda number: str(number).encode()), st.booleans())
def test_no_header_stops_a_run_or_moves_time_out_of_this_century(value: bytes, live: bool) -> None:
    limit = ClockLimit(AHEAD_MS, Clock()) if live else None
    reader = RecordReader(READER, FieldMap.default(), TOPICS.rejects, Clock(), limit)
    records = [Record(0, None, b"{}", NOW_MS, ((END_HEADER, value),))]
    draft = reader.draft(run_of(*records), records, StoryIndex(10, PROFILE.opposites))
    assert 0 <= draft.progress_ms < 4_102_444_800_000
    assert not live or draft.progress_ms <= NOW_MS + AHEAD_MS
    assert len(draft.rejects) == (draft.progress_ms == 0) or value.strip(b"0") == b""


class Watch:
    """A mentions partition of a live stream, its clock and what it raised."""

    def __init__(self) -> None:
        self.clock = Clock(NOW_MS - 10 * DAY_MS)
        self.partition = WatchPartition(CONFIG, None, [], DAY_MS, limit=ClockLimit(AHEAD_MS, self.clock))
        self.events: list[AlertEvent] = []
        self.offset = 0

    def hear(
        self,
        progress_ms: int,
        seen_ms: int | None = None,
        negative: int = 0,
        *,
        partition: int = 0,
        partitions: int = 1,
    ) -> None:
        self.offset += 1
        identity = hashlib.md5(str(self.offset).encode(), usedforsecurity=False).hexdigest()
        series, hits = ("all", "entity/AAPL"), {"negative": 0.9} if negative else {}
        items = () if seen_ms is None else (MentionItem(self.offset, identity, seen_ms, 0, hits, series),)
        batch = MentionBatch(VERSION, "e", partition, partitions, progress_ms, items)
        self.events += self.partition.apply(Record(self.offset, None, msgspec.json.encode(batch), 0))

    def quiet_days(self) -> None:
        while self.clock.now_ms < NOW_MS:
            self.hear(self.clock.now_ms, self.clock.now_ms, int(self.offset % 30 == 0))
            self.clock.now_ms += 20 * MINUTE_MS

    def surge(self) -> int | None:
        """An hour with a negative item every 20 s; after how many ms an alert opened."""
        while self.clock.now_ms < NOW_MS + HOUR_MS:
            self.hear(self.clock.now_ms, self.clock.now_ms, 1)
            if any(event.change == "opened" for event in self.events):
                return self.clock.now_ms - NOW_MS
            self.clock.now_ms += 20_000
        return None


@pytest.mark.parametrize("ahead_ms", [2 * AHEAD_MS, 23 * HOUR_MS, 10**17])
def test_mentions_that_are_ahead_delay_no_alert(ahead_ms: int) -> None:
    clean, poisoned = Watch(), Watch()
    for watch in (clean, poisoned):
        watch.quiet_days()
    poisoned.hear(NOW_MS + ahead_ms, NOW_MS + ahead_ms)
    opened = clean.surge()
    assert opened is not None
    assert opened < 10 * MINUTE_MS
    assert poisoned.surge() == opened


def test_a_partition_that_is_no_more_neither_holds_nor_pulls() -> None:
    watch = Watch()
    watch.quiet_days()
    for partition, progress_ms in enumerate((NOW_MS, NOW_MS - DAY_MS, NOW_MS, 1 << 62)):
        watch.hear(progress_ms, partition=partition, partitions=4)
    watch.hear(NOW_MS)
    assert watch.partition.watermark == NOW_MS - CONFIG.lateness_ms


def heard(seen_ms: int, progress_ms: int, offset: int, *, limited: bool = True) -> WatchPartition:
    """A fresh partition that hears of a stream of today, and of one mention that claims to be seen at `seen_ms`."""
    watch = WatchPartition(CONFIG, limit=ClockLimit(AHEAD_MS, Clock(NOW_MS + HOUR_MS)) if limited else None)
    times = [NOW_MS, NOW_MS + 1_000, NOW_MS + HOUR_MS]
    times.insert(offset, seen_ms)
    for own, at_ms in enumerate(times):
        one = MentionItem(own, f"{own:032x}", at_ms, own + 1, {"negative": 0.9}, ("all",))
        batch = MentionBatch(VERSION, "e", 0, 1, max(progress_ms, at_ms), (one,))
        watch.apply(Record(own, None, msgspec.json.encode(batch), NOW_MS))
    return watch


@pytest.mark.parametrize("offset", [1, 2, 3])
@pytest.mark.parametrize("behind_ms", [25 * HOUR_MS, 800 * DAY_MS])
def test_a_clock_that_is_behind_does_not_end_the_warm_up(behind_ms: int, offset: int) -> None:
    """Before the first tick is closed as after it."""
    watch = heard(NOW_MS - behind_ms, NOW_MS, offset)
    assert {stream.start_ms for stream in watch._streams.values()} == {NOW_MS}
    assert watch.dropped == 1


def test_a_clock_that_is_ahead_makes_no_other_mention_late() -> None:
    """A batch of yesterday's news, read today to the end of its partition, with one item of a clock that is ahead."""
    watch = WatchPartition(CONFIG, limit=ClockLimit(AHEAD_MS, Clock(NOW_MS)))
    times = [NOW_MS - 30 * HOUR_MS, NOW_MS + 23 * HOUR_MS, NOW_MS - 29 * HOUR_MS]
    items = tuple(
        MentionItem(own, f"{own:032x}", at_ms, own + 1, {"negative": 0.9}, ("all",)) for own, at_ms in enumerate(times)
    )
    batch = MentionBatch(VERSION, "e", 0, 1, NOW_MS, items)
    watch.apply(Record(0, None, msgspec.json.encode(batch), NOW_MS))
    assert watch.dropped == 0


def test_a_replay_s_history_counts_from_its_first_item() -> None:
    watch = heard(NOW_MS - 20 * HOUR_MS, 0, 0, limited=False)
    assert {stream.start_ms for stream in watch._streams.values()} == {NOW_MS - 20 * HOUR_MS}
    assert watch.dropped == 0


@pytest.mark.parametrize("limited", [True, False])
def test_a_first_item_of_long_ago_does_not_end_the_warm_up(limited: bool) -> None:
    watch = heard(NOW_MS - 800 * DAY_MS, 0, 0, limited=limited)
    assert {stream.start_ms for stream in watch._streams.values()} == {NOW_MS}
    assert watch.dropped == 0
