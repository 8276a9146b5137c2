"""Background tasks: one that fails is reported everywhere, starts again, and is well when it works again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streams.errors import TransportError
from streams.feeds.feedlist import Feed
from streams.feeds.poller import Poll, PollOutcome
from streams.feeds.polling import poll_feeds
from streams.observe.feeds import FeedWatch
from streams.observe.operations import Operations
from streams.settings import Settings
from streams.supervision import Beat, Supervisor
from tests.observe.watched import Clock, metrics_of, sample, troubles_of


class Task:
    """Fails as often as it is told to, then works."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.works = asyncio.Event()
        self.cancelled = False

    async def run(self, beat: Beat) -> None:
        if self.failures:
            raise self.failures.pop(0)
        beat()
        self.works.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def test_a_task_that_fails_is_started_again_and_cancelled_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    task, heard = Task(TransportError("a blip"), KeyError("a bug")), list[str | None]()
    async with Supervisor(lambda _, problem: heard.append(problem), first_wait_seconds=0.001) as supervisor:
        supervisor.start("feeds", task.run)
        await asyncio.wait_for(task.works.wait(), 20)
    assert heard == ["a blip", "KeyError('a bug')", None]
    assert task.cancelled
    assert [record.exc_info is not None for record in caplog.records] == [False, True], "a defect has its traceback"


async def test_waits_double_up_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    ends = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 9:
            ends.set()
            await asyncio.Event().wait()

    monkeypatch.setattr("streams.supervision.asyncio.sleep", sleep)
    async with Supervisor() as supervisor:
        supervisor.start("x", Task(*[TransportError("gone")] * 20).run)
        await ends.wait()
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_a_task_that_returns_is_done() -> None:
    heard: list[str | None] = []

    async def run(beat: Beat) -> None:
        beat()

    async with Supervisor(lambda _, problem: heard.append(problem)) as supervisor:
        supervisor.start("x", run)
        await supervisor.stop("x")
        await supervisor.stop("never started")


async def test_a_failing_task_is_in_ready_in_troubles_and_in_the_metrics(tmp_path: Path) -> None:
    clock = Clock()
    operations = Operations(Settings(data_dir=tmp_path, http_port=0, terminal=False), [], clock=clock)
    operations.health.broker_problem = operations.health.archive_problem = ""
    task, fails, goes_on = Task(), asyncio.Event(), asyncio.Event()

    async def run(beat: Beat) -> None:
        if not fails.is_set():
            fails.set()
            raise TransportError("the broker is away")
        await goes_on.wait()
        await task.run(beat)

    operations.tasks = Supervisor(operations._task_problem, first_wait_seconds=0.001)
    async with operations, operations.running("feeds", run):
        assert operations.health.ready().body["missing"] == ["task feeds: starting"]
        await fails.wait()
        await asyncio.sleep(0)
        assert operations.health.ready().body["missing"] == ["task feeds: the broker is away"]
        assert [(trouble.reason, trouble.subject) for trouble in operations.troubles.active] == [("task", "feeds")]
        assert sample(operations.metrics, "task_up", task="feeds") == 0
        assert not operations.health.well
        goes_on.set()
        await asyncio.wait_for(task.works.wait(), 20)
        assert operations.health.ready().good
        assert operations.troubles.active == []
        assert sample(operations.metrics, "task_up", task="feeds") == 1
        assert sample(operations.metrics, "task_failures_total", task="feeds") == 1


async def test_a_poller_without_a_broker_fails_and_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "not-a-folder").write_text("")
    settings = Settings(broker_url=f"sqlite:///{tmp_path}/not-a-folder/broker.db")
    with pytest.raises(TransportError):
        await poll_feeds(settings, [Feed("http://127.0.0.1:9/", "x")], asyncio.Event(), _no_poll, lambda: None)


def _no_poll(feed: str, poll: Poll, now_ms: int) -> None:
    raise AssertionError(feed)


def test_it_is_a_trouble_when_every_feed_fails() -> None:
    clock = Clock()
    metrics = metrics_of(clock)
    troubles, watch = troubles_of(metrics, clock), FeedWatch(metrics, silent_ms=0)
    watch.look(troubles, clock())
    assert troubles.active == []
    watch.polled("a", Poll(PollOutcome.FAILED, error="HTTP 500"), clock())
    watch.polled("b", Poll(PollOutcome.UPDATED, published=1, dropped=7), clock())
    watch.look(troubles, clock())
    assert troubles.active == []
    assert sample(metrics, "feeds_failing") == 1
    assert sample(metrics, "feed_entries_dropped_total") == 7
    watch.polled("b", Poll(PollOutcome.GONE, error="HTTP 410"), clock())
    watch.look(troubles, clock())
    (trouble,) = troubles.active
    assert trouble.reason == "feeds"
    assert "every feed fails (2 of 2)" in trouble.detail
    watch.polled("a", Poll(PollOutcome.UNCHANGED), clock())
    watch.look(troubles, clock())
    assert troubles.active == []


async def test_pollers_report_when_each_feed_is_due(tmp_path: Path) -> None:
    """Also of a feed that is never polled."""
    settings, stop = Settings(broker_url=f"sqlite:///{tmp_path}/broker.db"), asyncio.Event()
    feeds = [Feed("http://127.0.0.1:9/", "x", 30.0), Feed("http://127.0.0.1:9/y", "y", 60.0)]
    plans: list[tuple[str, float, int | None]] = []

    def polled(feed: str, poll: Poll, now_ms: int) -> None:
        stop.set()

    def planned(feed: str, interval_seconds: float, due_ms: int | None, now_ms: int) -> None:
        plans.append((feed, interval_seconds, due_ms))

    async with asyncio.timeout(30):
        await poll_feeds(settings, feeds, stop, polled, lambda: None, on_plan=planned)
    assert plans == [("x", 30.0, 0), ("y", 60.0, 0)]


def test_it_is_a_trouble_when_polls_are_overdue() -> None:
    clock = Clock()
    metrics = metrics_of(clock)
    troubles, watch = troubles_of(metrics, clock), FeedWatch(metrics, silent_ms=0)
    for feed, interval_seconds in (("wire", 10.0), ("blog", 60.0), ("slow", 600.0), ("gone", 10.0)):
        watch.planned(feed, interval_seconds, None if feed == "gone" else 0, clock())
    watch.planned("later", 10.0, clock() + 3_600_000, clock())

    def detail() -> str:
        watch.look(troubles, clock())
        return "".join(trouble.detail for trouble in troubles.active if trouble.reason == "feed_overdue")

    clock.pass_seconds(90)
    assert detail() == ""
    clock.pass_seconds(5)
    assert detail() == "polls of 1 of 4 feeds are overdue; wire should have been asked 95 s ago, every 10 s"
    clock.pass_seconds(206)
    assert "2 of 4 feeds" in detail()
    watch.polled("wire", Poll(PollOutcome.FAILED, due_ms=clock() + 3_600_000, error="HTTP 500"), clock())
    assert detail() == "polls of 1 of 4 feeds are overdue; blog should have been asked 301 s ago, every 60 s"
    watch.polled("blog", Poll(PollOutcome.UPDATED, due_ms=clock() + 60_000, costly=True), clock())
    assert detail() == ""
    assert sample(metrics, "feeds_costly_total") == 1
