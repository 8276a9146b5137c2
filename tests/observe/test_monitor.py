"""What the monitor finds wrong, and that it is told through the channels: once, and when it is over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from streams.archive.memory import MemoryArchive
from streams.archive.protocol import ArchiveError, Claims, StoredAlert, Written
from streams.engine.ports import Send
from streams.errors import Retry, TransportError
from streams.feeds.poller import Poll, PollOutcome
from streams.observe.archive import observed_archive
from streams.observe.feeds import FeedWatch
from streams.observe.health import Health
from streams.observe.lag import BrokerWatch, GroupLag, LagCollector
from streams.observe.metrics import Metrics
from streams.observe.monitor import Limits, Monitor, Probes
from streams.observe.notices import Notices
from streams.observe.stage import ObservedStage
from streams.records import Scored
from streams.supervision import Supervisor
from streams.transport.asking import ask
from streams.transport.broker import Late, TopicSpec
from streams.transport.sqlite.client import EmbeddedBroker
from tests.full_disk import full_disk
from tests.observe.watched import Clock, Listener, State, ToldStage, metrics_of, sample, troubles_of


class World:
    """A broker and an archive that answer as told."""

    def __init__(self) -> None:
        self.lags: list[GroupLag] = [("g", "news", 0, 0)]
        self.lates: list[Late] = []
        self.broker: Exception | None = None
        self.archive: Exception | None = None
        self.watermark_ms: int | None = None
        self.farthest_ms: int | None = None
        self.newest: tuple[int, str] = (0, "")
        self.archive_waits = 0.0

    def lag(self) -> list[GroupLag]:
        if self.broker is not None:
            raise self.broker
        return self.lags

    def late(self) -> list[Late]:
        return self.lates

    async def ask_archive(self) -> None:
        if self.archive is not None:
            raise self.archive


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(clock: Clock) -> Metrics:
    return metrics_of(clock)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def monitor(world: World, metrics: Metrics, clock: Clock, listener: Listener) -> Monitor:
    troubles = troubles_of(metrics, clock, grace_ms=30_000)
    health = Health(troubles, clock)
    health.states["score"] = State()
    probes = Probes(
        lag=world.lag,
        late=world.late,
        archive=world.ask_archive,
        archive_waiting_seconds=lambda: world.archive_waits,
        watermark_ms=lambda: world.watermark_ms,
        farthest_ms=lambda: world.farthest_ms,
        newest=lambda: world.newest,
    )
    feeds = FeedWatch(metrics, 3_600_000)
    return Monitor(health, metrics, troubles, probes, Notices([listener]), clock, Limits(lag_records=1_000), feeds)


async def turns(monitor: Monitor, clock: Clock, count: int) -> None:
    for _ in range(count):
        await monitor.turn()
        clock.pass_seconds(5)


def break_it(fault: str, world: World, clock: Clock) -> None:
    if fault == "broker":
        world.broker = TransportError("no broker answers at 127.0.0.1:9")
    elif fault == "archive":
        world.archive = Retry("answers 429")
    elif fault == "archive_slow":
        world.archive_waits = 61.0
    elif fault == "lag":
        world.lags = [("g", "news", 0, 600), ("g", "news", 1, 500)]
    elif fault == "retention":
        world.lates = [Late("g", "news", 1, 42, lost=True)]
    else:
        world.watermark_ms = clock.now_ms - 121_000


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("broker", "no broker answers"),
        ("archive", "answers 429"),
        ("archive_slow", "under way for 61 s"),
        ("lag", "MOODWIRE_LAG_LIMIT=1000"),
        ("retention", "LOST"),
        ("watermark", "behind the clock"),
    ],
)
async def test_a_fault_is_told_once_and_its_end_too(
    fault: str, words: str, monitor: Monitor, world: World, clock: Clock, listener: Listener, metrics: Metrics
) -> None:
    await turns(monitor, clock, 2)
    assert monitor.troubles.active == []
    clock.pass_seconds(60)
    break_it(fault, world, clock)
    await turns(monitor, clock, 20)
    reason = fault.partition("_")[0]
    assert sample(metrics, "trouble", reason=reason) == 1
    assert monitor.troubles.active
    assert [(notice.reason, notice.change) for notice in listener.notices] == [(reason, "opened")]
    assert words in listener.notices[0].detail
    world.__dict__.update(World().__dict__)
    clock.pass_seconds(60)
    if fault == "watermark":
        world.watermark_ms = clock.now_ms
    await turns(monitor, clock, 2)
    assert [notice.change for notice in listener.notices] == ["opened", "resolved"]
    assert monitor.health.well


@pytest.mark.parametrize(("reason", "words"), [("watermark", "set the clocks"), ("clock", "'wire' claims")])
async def test_time_that_is_ahead_is_trouble_until_the_clock_has_caught_up(
    reason: str, words: str, monitor: Monitor, world: World, clock: Clock, listener: Listener, metrics: Metrics
) -> None:
    until_ms = clock.now_ms + 3_600_000
    world.watermark_ms, world.farthest_ms = clock.now_ms, until_ms if reason == "watermark" else clock.now_ms
    world.newest = (until_ms if reason == "clock" else clock.now_ms, "wire")
    while until_ms - clock.now_ms > 15_000:
        await monitor.turn()
        assert [(trouble.reason, trouble.subject) for trouble in monitor.troubles.active] == [(reason, "ahead")]
        [trouble] = monitor.troubles.active
        assert words in trouble.detail
        assert f"{(until_ms - clock.now_ms) // 1000} s ahead" in trouble.detail
        world.watermark_ms = clock.now_ms  # another partition's
        clock.pass_seconds(60)
    clock.pass_seconds(15)
    await monitor.turn()
    assert monitor.troubles.active == []
    assert [(notice.reason, notice.change) for notice in listener.notices] == [(reason, "opened"), (reason, "resolved")]
    assert sample(metrics, "trouble", reason=reason) == 0


async def test_a_watermark_that_nobody_has_is_no_trouble(monitor: Monitor, clock: Clock, listener: Listener) -> None:
    await turns(monitor, clock, 50)
    assert listener.heard == []


async def test_broker_and_archive_are_asked_side_by_side_and_shown(
    monitor: Monitor, world: World, metrics: Metrics
) -> None:
    world.broker, world.archive = TransportError("gone"), ArchiveError("read-only")
    await monitor.turn()
    assert (sample(metrics, "broker_up"), sample(metrics, "archive_up")) == (0, 0)
    assert monitor.health.missing() == ["broker: gone", "archive: read-only"]
    world.broker = world.archive = None
    await monitor.turn()
    assert (sample(metrics, "broker_up"), sample(metrics, "archive_up")) == (1, 1)
    assert sample(metrics, "stage_up", stage="score") == 1


async def test_a_stalled_stage_is_trouble(monitor: Monitor, clock: Clock, metrics: Metrics) -> None:
    stage = ObservedStage("score", ToldStage(), metrics, monitor.troubles, clock=clock)
    monitor.health.stages["score"] = stage
    await stage.idle(0, clock())
    await turns(monitor, clock, 30)
    assert [trouble.reason for trouble in monitor.troubles.active] == ["stage"]
    await stage.idle(0, clock())
    await monitor.turn()
    assert monitor.troubles.active == []


async def test_a_silent_feed_is_trouble_until_it_speaks(monitor: Monitor, clock: Clock, metrics: Metrics) -> None:
    assert monitor.feeds is not None
    for _ in range(13):
        monitor.feeds.polled("wire", Poll(PollOutcome.FAILED, error="404"), clock())
        monitor.feeds.polled("blog", Poll(PollOutcome.UPDATED, published=1), clock())
        await monitor.turn()
        clock.pass_seconds(301)
    (trouble,) = monitor.troubles.active
    assert (trouble.reason, trouble.subject) == ("feed_silent", "wire")
    assert "404" in trouble.detail
    monitor.feeds.polled("wire", Poll(PollOutcome.UPDATED, published=3), clock())
    await monitor.turn()
    assert monitor.troubles.active == []
    assert sample(metrics, "feed_polls_total", result="failed") == 13


async def test_a_refused_write_is_trouble_until_one_succeeds(clock: Clock, metrics: Metrics) -> None:
    troubles = troubles_of(metrics, clock)

    class Refusing(MemoryArchive):
        refuses = True

        async def write_alerts(self, alerts: object) -> None:
            if self.refuses:
                raise ArchiveError("index is read-only")

    inner = Refusing()
    archive, watched = observed_archive(inner, metrics, troubles, clock)
    alert = StoredAlert("a", 1, "negative", "share", "all", "firing", "warning", 0, 0, b"{}")
    with pytest.raises(ArchiveError):
        await archive.write_alerts([alert])
    assert [trouble.reason for trouble in troubles.active] == ["archive"]
    assert sample(metrics, "archive_failures_total", reason="error") == 1
    inner.refuses = False
    await archive.write_alerts([replace(alert, revision=2)])
    assert troubles.active == []
    assert watched.waiting_seconds == 0
    assert sample(metrics, "archive_write_seconds_count", kind="alerts") == 1


async def test_a_claim_that_succeeds_ends_no_trouble_of_writing(clock: Clock, metrics: Metrics) -> None:
    """As where no new daily index may be made: ids are claimed at every attempt, and no item is stored."""
    troubles = troubles_of(metrics, clock)

    class Full(MemoryArchive):
        async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> list[Written]:
            raise Retry("too many shards")

    archive, _ = observed_archive(Full(), metrics, troubles, clock)
    begun = clock()
    for _ in range(3):
        await archive.claim([])
        with pytest.raises(Retry):
            await archive.write_items([])
        clock.pass_seconds(60)
    (trouble,) = troubles.active
    assert trouble.since_ms == begun


async def test_a_turn_that_breaks_does_not_end_the_monitor(monitor: Monitor, world: World) -> None:
    thrice = asyncio.Event()
    asked = 0

    async def ask() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            thrice.set()

    world.broker = ValueError("a bug")
    monitor.probes = replace(monitor.probes, archive=ask)
    monitor.every_seconds = 0.001
    problems: list[str | None] = []
    async with Supervisor(lambda name, problem: problems.append(problem), first_wait_seconds=0.001) as supervisor:
        supervisor.start("monitor", monitor.run)
        await thrice.wait()
    assert problems[0] == "ValueError('a bug')"


async def test_lag_is_that_of_the_last_answer(monitor: Monitor, world: World, metrics: Metrics) -> None:
    LagCollector(monitor.last_lags, metrics.registry)
    labels = {"group": "g", "topic": "news", "partition": "0"}
    assert sample(metrics, "consumer_lag_records", **labels) is None
    await monitor.turn()
    assert sample(metrics, "consumer_lag_records", **labels) == 0
    world.broker = TransportError("gone")
    await monitor.turn()
    assert sample(metrics, "consumer_lag_records", **labels) is None


async def test_a_full_disk_is_trouble_at_the_next_turn_and_over_when_there_is_room(
    monitor: Monitor, clock: Clock, metrics: Metrics, tmp_path: Path
) -> None:
    path = tmp_path / "broker.db"
    with closing(EmbeddedBroker(f"sqlite://{path}")) as broker:
        broker.ensure_topics([TopicSpec("news")])
        monitor.probes = replace(monitor.probes, lag=BrokerWatch(broker, [("g", "news")], [], clock).lag)
        await monitor.turn()
        assert monitor.health.ready().good
        with full_disk(path):
            with pytest.raises(TransportError, match="No space left"):
                broker.append([Send("news", None, bytes(100_000))])
            await turns(monitor, clock, 3)
        ready = monitor.health.ready()
        assert not ready.good
        assert not monitor.health.well  # the watchdog is not pinged
        assert [one["reason"] for one in ready.body["troubles"]] == ["broker"]
        full = f"No space left for the broker's file {path}: free some on its disk, and start again what has ended."
        assert ready.body["missing"] == [f"broker: {full}"]
        assert sample(metrics, "broker_up") == 0
        await monitor.turn()  # nothing else writes: the broker is tried
        assert monitor.health.ready().good
        assert monitor.troubles.active == []
        assert sample(metrics, "troubles_total", reason="broker") == 1


async def test_a_broker_that_hangs_takes_one_thread_and_no_time(monitor: Monitor, world: World, clock: Clock) -> None:
    hangs = threading.Event()
    broker = Hanging(hangs)
    watch = BrokerWatch(broker, [("g", "news")], [("g", "news")], clock)  # type: ignore[arg-type]  # asks no more
    first = asyncio.ensure_future(ask(watch.lag, "lag"))
    await asyncio.to_thread(broker.begun.wait)
    with pytest.raises(TransportError, match="has not answered"):
        await ask(watch.lag, "lag")
    assert broker.asked == 1
    hangs.set()
    assert await first == [("g", "news", 0, 7)]


class Hanging:
    """A broker that answers when it is let."""

    def __init__(self, answers: threading.Event) -> None:
        self.answers = answers
        self.asked = 0
        self.begun = threading.Event()

    def check_writes(self) -> None: ...

    def lags(self, group: str, topic: str) -> dict[int, int]:
        self.asked += 1
        self.begun.set()
        self.answers.wait()
        return {0: 7}
