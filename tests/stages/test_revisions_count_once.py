"""An id counts once, in what all series share too: whatever revisions follow it, and however often a run is redone."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from alerts import StreamState
from streams.archive.memory import MemoryArchive
from streams.archive.protocol import Archive, Claims, Written
from streams.archive.sqlite import SqliteArchive
from streams.engine.positions import SourcePositions
from streams.engine.runs import Record, Run
from streams.feeds.fieldmap import FieldMap
from streams.records import VERSION, MentionBatch, MentionItem, Scored
from streams.stages.archived_mentions import Layout, archived_mentions
from streams.stages.score import ScoreOptions, ScoreStage
from streams.stages.watch_partition import WatchPartition
from tests.engine.positions_harness import Crash, FakeOutbox, Fuse
from tests.engine.test_positions_property import eager_config
from tests.stages.test_score_stage import CLASSIFIER, PROFILE, READER, TOPICS

START_MS = 1_750_000_000_000
CONFIG = eager_config()
ITEMS = 160


@dataclass(frozen=True, slots=True)
class Counted:
    """What came of a log: mentions that `watch` counted, alerts as sent, and its states as rows hold them."""

    mentions: int
    alerts: list[bytes]
    shared: dict[str, bytes]
    series: dict[str, bytes]


def story(number: int, seen_ms: int, text: str = "") -> tuple[int, bytes]:
    """A record: its time, and an item with an id of its own."""
    title = f"Company number {number} reports a loss of {number * 7} million"
    body = {"id": str(number), "title": title, "text": text, "source": f"wire{number % 3}", "language": "en"}
    return seen_ms, msgspec.json.encode(body)


def plain_log() -> list[tuple[int, bytes]]:
    """Some hours of a quiet stream, and a burst."""
    quiet = [story(number, START_MS + number * 240_000) for number in range(ITEMS // 2)]
    burst_ms = quiet[-1][0]
    return quiet + [story(number, burst_ms + (number - ITEMS // 2) * 3_000) for number in range(ITEMS // 2, ITEMS)]


def revised_log(rng: random.Random) -> list[tuple[int, bytes]]:
    """The same with revisions: most seen when their item was, some before, some later."""
    records: list[tuple[int, bytes]] = []
    for number, (seen_ms, value) in enumerate(plain_log()):
        records.append((seen_ms, value))
        for version in range(rng.choice((0, 1, 1, 2))):
            known = rng.randint(max(0, number - 4), number)
            moved_ms = min(seen_ms, plain_log()[known][0] + rng.choice((0, 0, 0, -1_000, 1_000)))
            records.append(story(known, moved_ms, f"Updated for the time {number}.{version}"))
    return records


class Fragile:
    """An archive that the process may die before or after."""

    def __init__(self, archive: Archive, fuse: Fuse) -> None:
        self.archive = archive
        self.fuse = fuse

    def __getattr__(self, name: str) -> object:
        return getattr(self.archive, name)

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> Sequence[Written]:
        self.fuse.burn()
        outcomes = await self.archive.write_items(items, claims)
        self.fuse.burn()
        return outcomes


def stage_on(archive: Fragile, outbox: FakeOutbox) -> ScoreStage:
    options = ScoreOptions(topics=TOPICS, live=False)
    return ScoreStage(options, PROFILE, READER, {"en": CLASSIFIER}, archive, outbox, FieldMap.default())  # type: ignore[arg-type]  # it is one but for its type


async def played(log: Sequence[tuple[int, bytes]], archive: Archive, rng: random.Random | None = None) -> Counted:
    """The log through `score` and `watch`; with `rng`, in runs cut and redone from anywhere."""
    records = [Record(offset, None, value, seen_ms) for offset, (seen_ms, value) in enumerate(log)]
    fuse = Fuse()
    outbox = FakeOutbox(fuse)
    stage, start = stage_on(Fragile(archive, fuse), outbox), 0
    while start < len(records):
        end = min(start + (rng.randint(1, 30) if rng else 500), len(records))
        if rng:
            fuse.left, fuse.blow = rng.choice([None, None, None, 0, 1, 5, 9]), Crash
        try:
            await stage.handle(Run(TOPICS.news, 0, 1, "e", records[start:end], len(records)))
            start = end
        except Crash:
            fuse.left = None
            stage, start = stage_on(Fragile(archive, fuse), outbox), max(0, start - (rng.randint(0, 9) if rng else 0))
    values = [send.value or b"" for send in outbox.sent if send.topic == TOPICS.mentions]
    return counted([msgspec.json.decode(value, type=MentionBatch) for value in values])


async def rebuilt(archive: Archive, end_ms: int) -> Counted:
    layout = Layout(TOPICS.mentions, 1, "e", 1, 17)
    sends = [send async for _, some in archived_mentions(archive, layout, {0: end_ms}) for send in some]
    return counted([msgspec.json.decode(send.value or b"", type=MentionBatch) for send in sends])


def counted(batches: Sequence[MentionBatch]) -> Counted:
    watch, positions, mentions, alerts = WatchPartition(CONFIG), SourcePositions(), 0, list[bytes]()
    for offset, batch in enumerate(batches):
        mentions += len(positions.fresh(batch))
        positions.advance(batch)
        alerts += [event.to_json() for event in watch.apply(Record(offset, None, msgspec.json.encode(batch), 0))]
    return Counted(mentions, alerts, *watch.states())


@pytest.fixture(params=["memory", "sqlite"])
async def archives(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Archive]]:
    made: list[Archive] = [
        MemoryArchive() if request.param == "memory" else SqliteArchive(tmp_path / f"{number}.db")
        for number in range(3)
    ]
    yield made
    for archive in made:
        await archive.close()


@pytest.mark.parametrize("seed", range(3))
async def test_revisions_kills_and_rebuilding_change_no_alert(archives: list[Archive], seed: int) -> None:
    plain = await played(plain_log(), archives[0])
    log = revised_log(random.Random(seed))
    revised = await played(log, archives[1])
    assert plain.alerts, "no alert, so this says nothing about alerts"
    assert revised == plain
    assert await played(log, archives[2], random.Random(seed)) == plain
    end_ms = max(seen_ms for seen_ms, _ in log)
    assert [await rebuilt(archive, end_ms) for archive in archives[1:]] == [plain, plain]


def mention(offset: int, identity: str, seen_ms: int, partition: int = 0) -> bytes:
    item = MentionItem(offset, identity, seen_ms, 0, {"negative": 0.9}, ("all",))
    return msgspec.json.encode(MentionBatch(VERSION, "e", partition, 1, seen_ms, (item,)))


def test_what_a_revision_says_reaches_no_baseline_although_it_is_mentioned() -> None:
    """Two partitions of the topic news may both take a version for the first."""
    watch = WatchPartition(CONFIG)
    for offset, identity in enumerate(["a", "b", "a", "b", "c"]):
        watch.apply(Record(offset, None, mention(offset, identity, START_MS + offset), 0))
    watch.apply(Record(9, None, mention(9, "d", START_MS + 3_600_000), 0))
    shared, _ = watch.states()
    assert _items(StreamState.from_bytes(shared["negative"])) == 3


def _items(stream: StreamState) -> int:
    return sum(hour & 0xFFFFFFFF for kind in stream._kinds.values() for hour in kind.recent.values())
