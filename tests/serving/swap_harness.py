"""Random schedules for a model that changes while `score` works: crashes, refused batches, redone runs, successors.

A log of news grows; workers come and go over the same rows. Each hears of a promotion in its own time. What is
judged is what was archived and sent: every record by the version of its offset, whoever scored it and how often.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from models import Classifier, Places, Probabilities
from streams.archive.memory import MemoryArchive
from streams.archive.protocol import Claims, Unscored, Written
from streams.engine.ports import Send
from streams.engine.runs import Record, Run
from streams.errors import Retry, TransportError
from streams.feeds.fieldmap import FieldMap
from streams.records import MentionBatch, Scored
from streams.serving.model_cache import ModelCache
from streams.serving.swap import VERSIONS_KEY, SwappedVersions
from streams.serving.versions import ActiveModels, VersionRow
from streams.serving.watched import WatchedLists
from streams.stages.reader import TextReader
from streams.stages.score import ScoreOptions, ScoreStage
from streams.text.profile import load_profile
from streams.text.watchlists import Watchlist
from streams.topics import Topics, promotion_number
from tests.engine.positions_harness import Crash, FakeState, Fuse, land

TOPICS = Topics("t.", "live")
PROFILE = load_profile("finance")
READER = TextReader(PROFILE, {}, ())
NOW_MS = 1_750_000_000_000
EPOCH = "e"


class VersionedClassifier:
    """Calls everything negative in odd versions and positive in even ones."""

    entity_labels: Mapping[str, tuple[str, ...]] = {}
    name = "model"
    labels: Mapping[str, tuple[str, ...]] = {"sentiment": ("negative", "neutral", "positive")}

    def __init__(self, version: str) -> None:
        self.version = version

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        scores = np.zeros((len(texts), 3), np.float32)
        scores[:, 0 if int(self.version) % 2 else 2] = 1.0
        return {"sentiment": scores}

    def close(self) -> None:
        """Nothing is held."""


def opened(name: str, version: str) -> Classifier:
    return VersionedClassifier(version)


def active(version: int) -> ActiveModels:
    return ActiveModels({"en": ("model", str(version))}, version)


def lists_of(version: int) -> list[Watchlist]:
    """The watchlists that people change together with a promotion: every item of the log is on the one."""
    return [Watchlist(f"list {version}", names=("Company",))]


@dataclass
class Gate:
    """Where a worker stands still in an effect; open unless shut."""

    shut_after: int | None = None
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def pass_through(self) -> None:
        if self.shut_after is None:
            return
        self.shut_after -= 1
        if self.shut_after < 0:
            self.reached.set()
            await self.opened.wait()


@dataclass
class World:
    """What outlives every worker: the log, the rows, the archive, the topics."""

    fuse: Fuse = field(default_factory=Fuse)
    records: list[Record] = field(default_factory=list)
    archive: MemoryArchive = field(default_factory=MemoryArchive)
    sent: list[Send] = field(default_factory=list)
    state: FakeState = field(init=False)

    def __post_init__(self) -> None:
        self.state = FakeState(self.fuse)

    def publish(self, count: int) -> None:
        for _ in range(count):
            number = len(self.records)
            value = {"id": str(number), "title": f"Company {number} reports", "source": "wire", "language": "en"}
            self.records.append(Record(number, None, msgspec.json.encode(value), NOW_MS + number * 1_000))


class Worker:
    """One worker of the stage: knows what it has heard, dies or stands still in an effect."""

    def __init__(self, world: World, heard: ActiveModels) -> None:
        self._world = world
        self.gate = Gate()
        self.lists = WatchedLists()
        self.cache = ModelCache(opened, self._watching(heard))
        options = ScoreOptions(topics=TOPICS, mentions_partitions=2)
        self.stage = ScoreStage(
            options,
            PROFILE,
            READER,
            SwappedVersions(self.cache, world.state, self.lists),
            self,  # type: ignore[arg-type]  # of the archive and the outbox it needs what is below
            self,
            FieldMap.default(),
            clock=lambda: NOW_MS,
        )

    def hear(self, heard: ActiveModels) -> None:
        self.cache.want(self._watching(heard))

    def _watching(self, heard: ActiveModels) -> ActiveModels:
        """What `heard` is, with the watchlists of the same number; those of others are in rows alone."""
        digest = self.lists.take(lists_of(heard.promotion))
        return msgspec.structs.replace(heard, lists=digest, lists_change=heard.promotion)

    async def claim(self, _: Sequence[Unscored]) -> None:
        self._world.fuse.burn()

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> list[Written]:
        self._world.fuse.burn()
        await self.gate.pass_through()
        return await self._world.archive.write_items(items, claims)

    async def stories(self, **_: object) -> list[object]:
        return []

    async def send(self, sends: Sequence[Send]) -> None:
        await self.gate.pass_through()
        land(self._world.fuse, sends, self._world.sent)

    async def handle(self, first: int, end: int) -> None:
        records = self._world.records[first:end]
        await self.stage.handle(Run(TOPICS.news, 0, 1, EPOCH, records, len(self._world.records)))


@dataclass
class Judged:
    """How many items were scored by each version, and how many runs were cut by a swap."""

    by_version: dict[str, int]
    again: int


async def play(seed: int, *, records: int = 60, promotions: int = 2) -> World:
    """One schedule to its end: everything published is handled and committed."""
    rng = random.Random(seed)
    world = World()
    promoted, committed = 1, 0
    worker: Worker | None = None
    paused: list[tuple[Worker, asyncio.Task[None]]] = []
    while committed < records:
        if len(world.records) < records and rng.random() < 0.5:
            world.publish(min(rng.randint(1, 15), records - len(world.records)))
        promoted += promoted <= promotions and rng.random() < 0.15
        worker = worker or Worker(world, active(rng.choice([1, promoted])))
        if rng.random() < 0.5:
            worker.hear(active(promoted))
        if committed == len(world.records):
            continue
        end = min(len(world.records), committed + rng.randint(1, 9))
        if rng.random() < 0.15:
            paused.append(await _pause(rng, worker, committed, end))
            worker = None
            continue
        committed, worker = await _handle(rng, world, worker, committed, end)
        if paused and rng.random() < 0.3:
            await _wake(paused.pop(0))
    for one in paused:
        await _wake(one)
    return world


async def _handle(rng: random.Random, world: World, worker: Worker, first: int, end: int) -> tuple[int, Worker | None]:
    """What is committed after this attempt, and the worker that goes on, if it lives."""
    if rng.random() < 0.4:
        world.fuse.set(rng)
    try:
        await worker.handle(first, end)
    except (Crash, Retry, TransportError):
        return first, worker if rng.random() < 0.5 else None  # tried again by itself, or by another
    finally:
        world.fuse.left = None
    died = rng.random() < 0.2  # before the commit
    return (first, None) if died else (end, worker)


async def _pause(rng: random.Random, worker: Worker, first: int, end: int) -> tuple[Worker, asyncio.Task[None]]:
    """The worker stands still in an effect of the run, or is through with it before."""
    worker.gate.shut_after = rng.randint(0, 1)
    task = asyncio.ensure_future(worker.handle(first, end))
    await asyncio.wait([task, asyncio.ensure_future(worker.gate.reached.wait())], return_when=asyncio.FIRST_COMPLETED)
    return worker, task


async def _wake(paused: tuple[Worker, asyncio.Task[None]]) -> None:
    worker, task = paused
    worker.gate.opened.set()
    worker.gate.reached.set()
    await task


async def judge(world: World) -> Judged:
    """Raises AssertionError for an item lost, scored by two versions, or by another than its offset's."""
    data = world.state.get(0, VERSIONS_KEY)
    row = VersionRow.from_bytes(data)
    stats = await world.archive.stats()
    assert (stats.items, stats.revisions, stats.duplicates) == (len(world.records), 0, 0)
    by_version: dict[str, int] = {}
    for item in world.archive._items():
        wanted = _line_of(row, item.position.offset)
        assert item.model_version == wanted.models["en"][1], f"offset {item.position.offset}"
        assert item.watchlists == (f"list {wanted.lists_change}",), f"offset {item.position.offset}"
        assert f"watchlist/list {wanted.lists_change}" in item.series, f"offset {item.position.offset}"
        by_version[item.model_version] = by_version.get(item.model_version, 0) + 1
    scored = [send for send in world.sent if send.topic == TOPICS.scored]
    for send in scored:
        item = msgspec.json.decode(send.value or b"", type=Scored)
        assert item.model_version == _line_of(row, item.position.offset).models["en"][1]
    told = _mentions_agree(world, row)
    assert told == set(range(len(world.records)))
    return Judged(by_version, len(scored) - len(world.records))


def _mentions_agree(world: World, row: VersionRow) -> set[int]:
    """The offsets that were mentioned; every mention says what its offset's version says."""
    told: set[int] = set()
    for send in world.sent:
        if send.topic == TOPICS.mentions:
            batch = msgspec.json.decode(send.value or b"", type=MentionBatch)
            for item in batch.items:
                wanted = _line_of(row, item.offset)
                assert promotion_number(send.headers) == wanted.promotion
                assert ("negative" in item.signals) == bool(int(wanted.models["en"][1]) % 2)
                told.add(item.offset)
    return told


def _line_of(row: VersionRow, offset: int) -> ActiveModels:
    return row.covering(EPOCH, offset, offset)[0].active
