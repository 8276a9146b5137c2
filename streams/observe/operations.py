"""Everything that watches one process, put together: for `moodwire run`.

async with Operations(settings, channels) as operations:                  /health answers from here on
    async with Pipeline(settings, operations=operations) as pipeline:     stages and archive are wrapped
        async with operations.following(states, broker):                  the monitor turns, /ready can be true
            await run_stages(pipeline.jobs)
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

from prometheus_client import CollectorRegistry

from alerts import AlertConfig
from alerts.delivery import Channel, ReceiverState
from models import Classifier
from streams.archive.protocol import Archive
from streams.engine.ports import Outbox, Stage
from streams.logs import get_logger
from streams.namespaces import Kind
from streams.net.client import open_client
from streams.observe.archive import ObservedArchive, observed_archive
from streams.observe.classifier import ObservedClassifier
from streams.observe.feeds import FeedWatch
from streams.observe.health import Health, StageState
from streams.observe.http import OperatorServer, PortTaken
from streams.observe.lag import BrokerWatch, LagCollector
from streams.observe.metrics import Metrics
from streams.observe.monitor import Limits, Monitor, Probes
from streams.observe.notices import Notices
from streams.observe.stage import ObservedStage
from streams.observe.tracing import NoTracer, RunTracer, open_tracer
from streams.observe.troubles import Troubles
from streams.observe.watchdog import Watchdog
from streams.settings import Settings
from streams.supervision import Beat, Supervisor
from streams.transport.broker import Broker
from streams.wall_clock import HOUR_MS, wall_clock_ms

__all__ = ["DEFAULT_PORT", "Operations"]

log = get_logger(__name__)

DEFAULT_PORT = 8710
_LOSS_SHOWN_MS = HOUR_MS


class Operations:
    """Use as an async context manager around the pipeline. `channels` are its own: it closes them.

    `every_seconds` is how often the monitor looks; `clock` gives the wall clock in ms. `kind` is the namespace's: in a
    replay event time is not compared with the clock.

    Raises `SettingsError` when the HTTP port that was asked for is taken, the watchdog's URL is none, or traces
    are asked for without the extra `otel`.
    """

    def __init__(
        self,
        settings: Settings,
        channels: Sequence[Channel],
        *,
        tracer: RunTracer | None = None,
        every_seconds: float = 5.0,
        clock: Callable[[], int] = wall_clock_ms,
        kind: Kind = Kind.LIVE,
    ) -> None:
        self.settings = settings
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry, clock)
        self.troubles = Troubles(
            self.metrics,
            f"{socket.gethostname()}:{os.getpid()}",
            grace_ms=int(settings.trouble_after_seconds * 1000),
            clock=clock,
        )
        self.health = Health(self.troubles, clock, stall_ms=int(settings.stall_seconds * 1000))
        self.feeds = FeedWatch(self.metrics, int(settings.feed_silent_hours * HOUR_MS))
        self.tasks = Supervisor(self._task_problem)
        self.server: OperatorServer | None = None
        self.monitor: Monitor | None = None
        self._tracer = tracer or NoTracer()
        self._clock = clock
        self._live = kind is Kind.LIVE
        self._every_seconds = every_seconds
        self._notices = Notices(channels)
        self._archive: ObservedArchive | None = None
        self._receivers: Callable[[], Sequence[ReceiverState]] = tuple
        self._stack = AsyncExitStack()

    # -- what the pipeline wraps with

    def stage(self, name: str, stage: Stage) -> Stage:
        """The stage, watched."""
        observed = ObservedStage(name, stage, self.metrics, self.troubles, self._tracer, self._clock)
        self.health.stages[name] = observed
        return observed

    def archive(self, archive: Archive) -> Archive:
        """The archive, watched."""
        watched, self._archive = observed_archive(archive, self.metrics, self.troubles, self._clock)
        return watched

    def classifiers(self, classifiers: Mapping[str, Classifier]) -> dict[str, Classifier]:
        """The classifiers by language, watched."""
        self.metrics.loaded(classifiers)
        return {language: ObservedClassifier(one, self.metrics) for language, one in classifiers.items()}

    def outbox(self, outbox: Outbox) -> Outbox:
        """The outbox; with traces its records name their run."""
        return self._tracer.outbox(outbox)

    def lost(self, subject: str, detail: str) -> None:
        """A record of an internal topic was parked: a trouble for an hour, then only in the metrics and `rejects`."""
        self.troubles.raise_trouble("parked", detail, subject, lasts_ms=_LOSS_SHOWN_MS)

    def rules(self, config: AlertConfig) -> None:
        """Shows the alert rules' clock."""
        self.metrics.lateness.set(config.lateness_ms / 1000)
        self.metrics.hop.set(config.hop_ms / 1000)

    def _task_problem(self, name: str, problem: str | None) -> None:
        """A background task failed, or works again: /ready, the trouble `task` and the metrics follow."""
        self.health.tasks[name] = problem or ""
        self.metrics.task_up.labels(name).set(problem is None)
        if problem is None:
            self.troubles.clear("task", name)
        else:
            self.metrics.task_failures.labels(name).inc()
            self.troubles.raise_trouble("task", f"task {name} fails and is started again: {problem}", name)

    def receivers(self, states: Callable[[], Sequence[ReceiverState]]) -> None:
        """Shows how the channels of `deliver` do."""
        self._receivers = states

    # -- running

    async def __aenter__(self) -> Self:
        self._stack.push_async_callback(self._notices.aclose)
        await self._stack.enter_async_context(self.tasks)
        if isinstance(self._tracer, NoTracer):
            self._tracer = open_tracer(self.settings.otel_endpoint)
        self._stack.push_async_callback(asyncio.to_thread, self._tracer.close)
        try:
            await self._serve()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _serve(self) -> None:
        settings = self.settings
        if settings.http_port == 0:
            return
        asked = settings.http_port is not None
        server = OperatorServer(self.health, self.registry, settings.http_host, settings.http_port or DEFAULT_PORT)
        try:
            self.server = await self._stack.enter_async_context(server)
        except PortTaken as error:
            if asked:
                raise
            log.warning("Status is not served", error=error)

    @asynccontextmanager
    async def running(self, name: str, run: Callable[[Beat], Awaitable[None]]) -> AsyncIterator[None]:
        """A background task, supervised until this is left; the process is not ready before it has begun its work."""
        self.health.tasks[name] = "starting"
        self.tasks.start(name, run)
        try:
            yield
        finally:
            await self.tasks.stop(name)
            self.health.tasks.pop(name, None)

    @asynccontextmanager
    async def following(self, states: Mapping[str, StageState], broker: Broker) -> AsyncIterator[None]:
        """The pipeline is made: its stages, its broker and its archive are watched until this is left."""
        settings, topics = self.settings, self.settings.topics
        self.health.states.update(states)
        work = {name: (topics.group(name), topic) for name, topic in topics.sources.items()}
        watch = BrokerWatch(broker, [work[name] for name in states], work.values(), self._clock)
        self.monitor = Monitor(
            self.health,
            self.metrics,
            self.troubles,
            self._probes(watch),
            self._notices,
            self._clock,
            limits=Limits(lag_records=settings.lag_limit, watermark_ms=int(settings.stall_seconds * 1000)),
            feeds=self.feeds,
            watchdog=self._watchdog(),
            every_seconds=self._every_seconds,
        )
        LagCollector(self.monitor.last_lags, self.registry)
        self.tasks.start("monitor", self.monitor.run)
        try:
            yield
        finally:
            await self.tasks.stop("monitor")  # it may be waiting for a broker that is away

    def _probes(self, watch: BrokerWatch) -> Probes:
        archive = self._archive
        assert archive is not None

        async def ask() -> Any:
            return await archive.alerts(limit=1)

        return Probes(
            lag=watch.lag,
            late=watch.late,
            archive=ask,
            archive_waiting_seconds=lambda: archive.waiting_seconds,
            watermark_ms=lambda: self.metrics.watermark_ms if self._live else None,
            farthest_ms=lambda: self.metrics.farthest_ms if self._live else None,
            newest=lambda: self.metrics.newest if self._live else (0, ""),
            receivers=self._receivers,
        )

    def _watchdog(self) -> Watchdog | None:
        settings = self.settings
        if settings.watchdog_url is None:
            return None
        url = settings.watchdog_url.get_secret_value()
        client = open_client([url], settings.net)
        watchdog = Watchdog(url, settings.watchdog_seconds, self.health, self.metrics, client)
        self._stack.push_async_callback(watchdog.aclose)
        return watchdog

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
