"""A stage with its figures, its log line and its span around it; the stage inside knows nothing of it.

Dispatcher ─► ObservedStage.handle ─► span ─► the stage ─► done: figures, a line at INFO (a tick's, one every second,
                                                       │        at DEBUG)
                                                       └─► failed: counted, raised again; lasting: a trouble
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from streams.archive.protocol import ArchiveError
from streams.engine.ports import Stage
from streams.engine.runs import Run
from streams.errors import LeaseLost, Retry, TransportError, described
from streams.logs import get_logger
from streams.observe.metrics import Metrics
from streams.observe.tracing import NoTracer, RunTracer
from streams.observe.troubles import Troubles
from streams.wall_clock import wall_clock_ms

__all__ = ["ObservedStage", "reason_of"]

log = get_logger(__name__)

_SLOW_SECONDS = 1.0
_TICK_BYTES = 128
_FAILURES_TO_TROUBLE = 3
"""Attempts at one run: a blip is over at the second or third, about 2 s after the first."""


def reason_of(error: Exception) -> str:
    """A short code for counting: what kind of failure makes a run wait."""
    if isinstance(error, ArchiveError):
        return "archive"
    if isinstance(error, Retry):
        return "retry"
    return "transport" if isinstance(error, TransportError) else "error"


def _is_tick(run: Run) -> bool:
    """Whether the run is a lone report that time goes on, one a second and partition, or as short."""
    value = run.records[0].value
    return len(run.records) == 1 and (value is None or len(value) <= _TICK_BYTES)


class ObservedStage:
    """`engine.ports.Stage` around another. `clock` gives the wall clock in ms.

    `owned` are the partitions that it has heard of and not given up; `progress_ms` is when it last finished
    a run or was told that a partition is read to its end, None before.
    """

    def __init__(
        self,
        name: str,
        stage: Stage,
        metrics: Metrics,
        troubles: Troubles,
        tracer: RunTracer | None = None,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.name = name
        self.owned: set[int] = set()
        self.progress_ms: int | None = None
        self._stage = stage
        self._figures = metrics.stage(name)
        self._troubles = troubles
        self._tracer = tracer or NoTracer()
        self._clock = clock
        self._failures: dict[int, int] = {}

    async def handle(self, run: Run) -> None:
        self.owned.add(run.partition)
        begun = time.perf_counter()
        self._figures.in_progress.inc()
        try:
            with self._tracer.run(self.name, run):
                await self._stage.handle(run)
        except (asyncio.CancelledError, LeaseLost):
            self._figures.dropped.inc()
            raise
        except Exception as error:
            self._failed(run, error)
            raise
        finally:
            self._figures.in_progress.dec()
        self._done(run, time.perf_counter() - begun)

    def _done(self, run: Run, seconds: float) -> None:
        self._figures.done(len(run.records), seconds)
        self._progressed()
        self._settled(run.partition)
        log.log(
            logging.DEBUG if _is_tick(run) and seconds < _SLOW_SECONDS else logging.INFO,
            "Run done",
            stage=self.name,
            partition=run.partition,
            first_offset=run.first_offset,
            last_offset=run.last_offset,
            records=len(run.records),
            lag=max(0, run.end_offset - run.last_offset - 1),
            seconds=round(seconds, 4),
        )

    def _failed(self, run: Run, error: Exception) -> None:
        self._figures.retried(reason_of(error))
        failures = self._failures[run.partition] = self._failures.get(run.partition, 0) + 1
        if failures >= _FAILURES_TO_TROUBLE:
            detail = (
                f"stage {self.name}, partition {run.partition}, offset {run.first_offset}: {failures} attempts failed"
            )
            self._troubles.raise_trouble("stage", f"{detail}: {described(error)}", self._subject(run.partition))

    def _settled(self, partition: int) -> None:
        """The run that failed is over: handled, given up, or all of it is parked."""
        if self._failures.pop(partition, 0):
            self._troubles.clear("stage", self._subject(partition))

    def _subject(self, partition: int) -> str:
        return f"{self.name}/{partition}"

    def _progressed(self) -> None:
        self.progress_ms = self._clock()
        self._figures.progress.set(self.progress_ms / 1000)

    async def idle(self, partition: int, now_ms: int) -> None:
        self.owned.add(partition)
        self._settled(partition)  # between runs alone is a partition idle
        await self._stage.idle(partition, now_ms)
        self._progressed()

    def forget(self, partition: int) -> None:
        self.owned.discard(partition)
        self._settled(partition)
        self._stage.forget(partition)
