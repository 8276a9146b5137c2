"""One partition's runs: each is tried until it succeeds, and what is at fault in it is parked (see `dispatch`)."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from alerts.backoff import Backoff
from streams.engine.isolation import Fault, Isolation, fault_of
from streams.engine.ports import Parking, Stage
from streams.engine.runs import Run
from streams.errors import Damaged, LeaseLost, MoodwireError, Retry
from streams.logs import get_logger, unexpected

__all__ = ["BACKOFF", "CURRENT", "Lane", "LaneOwner", "Pace", "RunSource"]

log = get_logger(__name__)

CURRENT: ContextVar[Any | None] = ContextVar("CURRENT", default=None)
"""The event whose run the running task is handling: what it writes is written under that run's lease and position."""

BACKOFF = Backoff(first_seconds=0.5, longest_seconds=60.0, spread=(0.75, 1.25))

LONE_ATTEMPTS = 3
LONE_SECONDS = 60.0
"""The last record of a quiet partition has no later one to prove it at fault. It is parked after so many attempts when
another partition's run succeeds meanwhile, or after so long when the stage has worked before; one a partition, until
that has had a success of its own."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Part of a run as an event: what is written for it is written at its own position."""

    value: Run
    message: Any


class RunSource(Protocol):
    """What a lane needs of the consumer."""

    def run_done(self, event: Any) -> None:
        """The run's effects are all acknowledged."""

    def run_dropped(self, event: Any) -> None:
        """The run will not be handled here."""

    def at_end(self, topic: str, partition: int) -> bool:
        """Whether every record of the partition has been handed out and acknowledged."""

    async def check_lease(self, event: Any | None = None) -> None:
        """Raises LeaseLost unless this worker still owns the run's partition."""

    def look_ahead(self, event: Any) -> None:
        """The run waits for a later record of its partition: hand out one run more than usual."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When the lanes of a stage work, in seconds.

    `idle_seconds` are between the idle ticks of a partition that is read to its end. A partition's runs begin at least
    `min_run_interval_seconds` apart: what comes meanwhile waits in the broker, and the next run brings it all; for a
    stage whose work is by the run rather than by the record. `lone_seconds`: see `LONE_SECONDS`.
    """

    idle_seconds: float = 1.0
    min_run_interval_seconds: float = 0.0
    lone_seconds: float = LONE_SECONDS


class LaneOwner(Protocol):
    """What a lane needs of its dispatcher."""

    stage: Stage
    pace: Pace
    parking: Parking | None
    succeeded_at: float | None
    closing: asyncio.Event
    source: Callable[[], RunSource]
    now_ms: Callable[[], int]

    async def give_up(self, error: Damaged) -> None:
        """No retry helps: ends the whole stage."""


class Lane:
    """One partition's runs, one after the other."""

    def __init__(self, owner: LaneOwner, topic: str, partition: int) -> None:
        self._owner = owner
        self._topic = topic
        self._partition = partition
        self._waiting: deque[Any] = deque()
        self._arrived = asyncio.Event()
        self._rests_until = 0.0
        self._in_hand: list[Any] = []
        self._may_park_alone = True
        self._idle_problem = ""
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
                continue  # meanwhile it may have dropped what waited
            if self._waiting:
                await self._finish(self._waiting.popleft())
            elif not await self._arrives():
                await self._idle()

    async def _rests(self) -> bool:
        """Whether it was too early for the next run; then it has waited, and the stage may have one now."""
        now = asyncio.get_running_loop().time()
        rest = self._rests_until - now
        if rest <= 0:
            self._rests_until = now + self._owner.pace.min_run_interval_seconds
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(rest):
                await self._owner.closing.wait()
        return True

    async def _arrives(self) -> bool:
        """Waits for a run, as long as the partition may stay without an idle tick."""
        self._arrived.clear()
        try:
            async with asyncio.timeout(self._owner.pace.idle_seconds):
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
        except Damaged as error:
            await owner.give_up(error)
        except MoodwireError as error:
            self._idle_failed(error)
        except Exception:
            log.exception("Idle tick failed unexpectedly", topic=self._topic, partition=self._partition)
        else:
            self._idle_problem = ""

    def _idle_failed(self, error: MoodwireError) -> None:
        """Logged once an episode: a tick comes every second, and a full disk stays full for hours."""
        problem = str(error)
        if problem != self._idle_problem:
            log.warning("Idle tick failed", topic=self._topic, partition=self._partition, error=error)
        self._idle_problem = problem

    async def _finish(self, event: Any) -> None:
        """Tries the run until it succeeds, then acknowledges it; else leaves it for the next start.

        Runs that follow are taken along where only they can tell which record is at fault.
        """
        self._in_hand = [event]
        done = False
        try:
            done = await self._succeeds(Isolation(event.value))
        finally:
            CURRENT.set(None)
            source = self._owner.source()
            for one in self._in_hand:
                source.run_done(one) if done else source.run_dropped(one)

    async def _succeeds(self, search: Isolation) -> bool:
        """False when the worker closes, or loses the partition, before the run has succeeded."""
        attempt = 0
        while not self._owner.closing.is_set():
            attempt += 1
            try:
                await self._attempt(search, attempt)
            except LeaseLost as error:
                run = search.run
                log.warning("Run dropped: another worker has it", topic=run.topic, partition=run.partition, error=error)
                return False
            except Damaged as error:
                await self._owner.give_up(error)
                return False
            except Exception as error:
                await self._wait_after(error, search, attempt)
            else:
                return True
        return False

    async def _attempt(self, search: Isolation, attempt: int) -> None:
        """Handles what is left of the run, and parks what is at fault; raises what keeps it from its end."""
        search.begin(attempt)
        await self._park(search)
        problem: Exception | None = None
        while (piece := search.piece) is not None:
            problem = await self._handle(search, piece) or problem
            await self._park(search)
        if search.suspects and attempt >= LONE_ATTEMPTS and self._is_alone_at_fault(search):
            self._may_park_alone = False
            search.condemn()
            await self._park(search)
        if search.suspects and problem is not None:
            raise problem

    async def _handle(self, search: Isolation, piece: Run) -> Exception | None:
        """Gives the piece to the stage; returns an error that is about a record, raises any other."""
        owner = self._owner
        event = self._in_hand[0]
        CURRENT.set(event if piece is event.value else _Piece(piece, event.message))
        now = asyncio.get_running_loop().time
        try:
            await owner.source().check_lease(event)
            await owner.stage.handle(piece)
        except LeaseLost:
            raise
        except Exception as error:
            if owner.parking is None or fault_of(error) is Fault.WORLD:
                raise
            search.failed(error, now())
            return error
        search.handled()
        self._may_park_alone = True
        owner.succeeded_at = now()
        return None

    async def _park(self, search: Isolation) -> None:
        culprits = list(search.at_fault)
        if culprits and self._owner.parking is not None:
            await self._owner.parking.park(search.run, culprits)
            search.parked(culprits)

    def _is_alone_at_fault(self, search: Isolation) -> bool:
        """Whether the last record that is known, alone suspected, is at fault as far as is known without a later."""
        lone, succeeded_at = search.lone, self._owner.succeeded_at
        if lone is None or succeeded_at is None or not self._may_park_alone:
            return False
        waited = asyncio.get_running_loop().time() - lone.since
        return succeeded_at > lone.since or waited >= self._owner.pace.lone_seconds

    def _look_ahead(self, search: Isolation) -> None:
        """Takes the next run along, where all that is known ends in suspects; asks for it where it is not here."""
        if not search.ends_in_suspects:
            return
        if self._waiting and self._waiting[0].value.epoch == search.run.epoch:
            event = self._waiting.popleft()
            self._in_hand.append(event)
            search.extend(event.value)
        elif not self._waiting:
            self._owner.source().look_ahead(self._in_hand[-1])

    async def _wait_after(self, error: Exception, search: Isolation, attempt: int) -> None:
        asked = error.retry_after_seconds if isinstance(error, Retry) else 0.0
        wait = BACKOFF.wait_seconds(attempt, chance=random.random(), asked_seconds=asked)  # noqa: S311  # no secret
        run = search.run
        log.warning(
            "Run failed",
            topic=run.topic,
            partition=run.partition,
            first_offset=run.first_offset,
            last_offset=run.last_offset,
            attempt=attempt,
            retry_seconds=round(wait, 1),
            error=error,
            exc_info=unexpected(error),
        )
        self._arrived.clear()
        known = len(self._in_hand)
        self._look_ahead(search)
        if len(self._in_hand) > known:
            return
        over = [self._owner.closing.wait()]
        if search.ends_in_suspects and not self._waiting:
            over.append(self._arrived.wait())
        await _first_of(over, wait)
        self._look_ahead(search)


async def _first_of(waits: list[Coroutine[Any, Any, Any]], seconds: float) -> None:
    """Returns when one of them is over, after `seconds` at the latest."""
    tasks = [asyncio.ensure_future(one) for one in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
