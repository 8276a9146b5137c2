"""Runs to their stage: one lane per partition, in order, tried until they succeed.

    agent ─▶ Dispatcher.take ─▶ lane 0: run, run ─▶ stage.handle ─▶ acknowledged
                             └▶ lane 1: …           stage.idle, about once a second at the partition's end

Lanes run side by side, so that one partition's archive write overlaps another's inference. Within a lane a
run that fails is tried again before any later one, and its partition waits: nothing is skipped, nothing
escapes.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Protocol

from streams.engine.ports import Stage
from streams.engine.runs import Run
from streams.errors import LeaseLost, MoodwireError, Retry

__all__ = ["CURRENT", "Dispatcher", "RunSource", "backoff_seconds"]

log = logging.getLogger(__name__)

CURRENT: ContextVar[Any | None] = ContextVar("CURRENT", default=None)
"""The event whose run the running task is handling: what it writes is written under that run's lease and position."""

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 60.0


def backoff_seconds(attempt: int, retry_after_seconds: float, jitter: float) -> float:
    """How long to wait after failed attempt number `attempt` (from 1); `jitter` in [0, 1) spreads retries.

    At least what the failure asked for; doubles with every attempt, up to a minute.
    """
    doubled = min(_FIRST_WAIT_SECONDS * 2.0 ** min(attempt - 1, 20), _LONGEST_WAIT_SECONDS)
    return max(retry_after_seconds, doubled * (0.75 + 0.5 * jitter))


class RunSource(Protocol):
    """What a lane needs of the consumer."""

    def run_done(self, event: Any) -> None:
        """The run's effects are all acknowledged."""

    def run_dropped(self, event: Any) -> None:
        """The run will not be handled here."""

    def at_end(self, topic: str, partition: int) -> bool:
        """Whether every record of the partition has been handed out and acknowledged."""

    async def hold(self, event: Any | None = None) -> None:
        """Raises LeaseLost unless this worker still owns the run's partition."""


class Dispatcher:
    """The lanes of one stage; made before its app starts, closed before it stops.

    A partition's runs begin at least `apart_seconds` apart: what comes meanwhile waits in the broker, and the next
    run brings it all. For a stage whose work is by the run rather than by the record.
    """

    def __init__(
        self,
        stage: Stage,
        source: Callable[[], RunSource],
        *,
        idle_seconds: float = 1.0,
        apart_seconds: float = 0.0,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.stage = stage
        self.source = source
        self.idle_seconds = idle_seconds
        self.apart_seconds = apart_seconds
        self.now_ms = now_ms
        self.closing = asyncio.Event()
        self._lanes: dict[tuple[str, int], _Lane] = {}

    def own(self, topic: str, partition: int) -> None:
        """The partition is assigned to this worker: it gets idle ticks from now on, also before any run."""
        if not self.closing.is_set() and (topic, partition) not in self._lanes:
            self._lanes[topic, partition] = _Lane(self, topic, partition)

    def take(self, event: Any) -> None:
        """Queues a run behind the others of its partition."""
        run: Run = event.value
        if self.closing.is_set():
            self.source().run_dropped(event)
            return
        self.own(run.topic, run.partition)
        self._lanes[run.topic, run.partition].put(event)

    def drop_waiting(self) -> None:
        """Drops the runs that no stage has begun; they are read again from the committed offset."""
        for lane in self._lanes.values():
            lane.drop_waiting()

    def forget(self, topic: str, partition: int) -> None:
        """The partition was revoked: ends its lane and lets the stage drop what it keeps for it."""
        lane = self._lanes.pop((topic, partition), None)
        if lane is not None:
            lane.cancel()
            self.stage.forget(partition)

    async def close(self, within_seconds: float) -> None:
        """Takes nothing more; finishes the runs in hand within the bound and cancels what is left."""
        self.closing.set()
        self.drop_waiting()
        tasks = [lane.task for lane in self._lanes.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class _Lane:
    """One partition's runs, one after the other."""

    def __init__(self, owner: Dispatcher, topic: str, partition: int) -> None:
        self._owner = owner
        self._topic = topic
        self._partition = partition
        self._waiting: deque[Any] = deque()
        self._arrived = asyncio.Event()
        self._rests_until = 0.0
        self.task = asyncio.create_task(self._work(), name=f"lane {topic}/{partition}")

    def put(self, event: Any) -> None:
        self._waiting.append(event)
        self._arrived.set()

    def drop_waiting(self) -> None:
        source = self._owner.source()
        while self._waiting:
            source.run_dropped(self._waiting.popleft())
        self._arrived.set()

    def cancel(self) -> None:
        self.drop_waiting()
        self.task.cancel()

    async def _work(self) -> None:
        while not self._owner.closing.is_set():
            if self._waiting and await self._rests():
                continue  # meanwhile it may have been told to drop what waited
            if self._waiting:
                await self._finish(self._waiting.popleft())
            elif not await self._arrives():
                await self._idle()

    async def _rests(self) -> bool:
        """Whether it was too early for the next run; then it has waited, and the stage may have one now."""
        now = asyncio.get_running_loop().time()
        rest = self._rests_until - now
        if rest <= 0:
            self._rests_until = now + self._owner.apart_seconds
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(rest):
                await self._owner.closing.wait()
        return True

    async def _arrives(self) -> bool:
        """Waits for a run, as long as the partition may stay without an idle tick."""
        self._arrived.clear()
        try:
            async with asyncio.timeout(self._owner.idle_seconds):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True

    async def _idle(self) -> None:
        owner = self._owner
        if not owner.source().at_end(self._topic, self._partition):
            return
        try:
            await owner.stage.idle(self._partition, owner.now_ms())
        except MoodwireError as error:
            log.warning("%s/%d: idle tick failed, the next comes in a second: %s", self._topic, self._partition, error)
        except Exception:
            log.exception("%s/%d: idle tick failed, the next comes in a second", self._topic, self._partition)

    async def _finish(self, event: Any) -> None:
        """Tries the run until it succeeds, then acknowledges it; else leaves it for the next start."""
        done = False
        try:
            CURRENT.set(event)
            done = await self._succeeds(event)
        finally:
            CURRENT.set(None)
            source = self._owner.source()
            source.run_done(event) if done else source.run_dropped(event)

    async def _succeeds(self, event: Any) -> bool:
        """False when the worker closes, or loses the partition, before the run has succeeded."""
        run: Run = event.value
        attempt = 0
        while not self._owner.closing.is_set():
            attempt += 1
            try:
                await self._owner.source().hold(event)
                await self._owner.stage.handle(run)
            except LeaseLost as error:
                log.warning("%s/%d: run dropped, another worker has it: %s", run.topic, run.partition, error)
                return False
            except Exception as error:
                await self._wait_after(error, run, attempt)
            else:
                return True
        return False

    async def _wait_after(self, error: Exception, run: Run, attempt: int) -> None:
        asked = error.retry_after_seconds if isinstance(error, Retry) else 0.0
        wait = backoff_seconds(attempt, asked, random.random())  # noqa: S311  # jitter is no secret
        log.warning(
            "%s/%d: offsets %d to %d not done at attempt %d, again in %.1f s: %s",
            run.topic, run.partition, run.first_offset, run.last_offset, attempt, wait, str(error) or
            type(error).__name__, exc_info=None if isinstance(error, MoodwireError) else error,
        )  # fmt: skip
        try:
            async with asyncio.timeout(wait):
                await self._owner.closing.wait()
        except TimeoutError:
            return
