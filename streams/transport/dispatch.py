"""Runs to their stage: one lane per partition, in order, tried until they succeed.

    agent ─▶ Dispatcher.take ─▶ lane 0: run, run ─▶ stage.handle ─▶ acknowledged
                             └▶ lane 1: …           stage.idle, about once a second at the partition's end

Lanes run side by side, so that one partition's archive write overlaps another's inference. Within a lane a
run that fails is tried again before any later one, and its partition waits: nothing is skipped, nothing
escapes. A run that fails because of one of its records goes on without it (`streams.engine.isolation`): that record
is parked before the run is acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from streams.engine.ports import Parking, Stage
from streams.engine.runs import Run
from streams.errors import Damaged
from streams.transport.lane import Lane, Pace, RunSource
from streams.wall_clock import wall_clock_ms

__all__ = ["PACE", "Dispatcher", "Finish", "nothing"]

Finish = Callable[[float], Awaitable[None]]
"""Ends, within so many seconds, what a stage does beside its runs."""


async def nothing(within_seconds: float) -> None:
    """Of a stage that works on runs alone."""


PACE = Pace()


class Dispatcher:
    """The lanes of one stage; made before its app starts, closed before it stops. `finish` is called before partitions
    are given up, and at the end.

    `parking` takes the records that the stage cannot handle; without it a run that fails is tried again as it is.
    """

    def __init__(
        self,
        stage: Stage,
        source: Callable[[], RunSource],
        *,
        pace: Pace = PACE,
        parking: Parking | None = None,
        finish: Finish = nothing,
        on_damage: Callable[[Damaged], Awaitable[None]] | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.stage = stage
        self.source = source
        self.pace = pace
        self.parking = parking
        self.on_damage = on_damage or _nothing
        self.now_ms = now_ms
        self.succeeded_at: float | None = None
        self.closing = asyncio.Event()
        self._finish = finish
        self._lanes: dict[tuple[str, int], Lane] = {}

    async def give_up(self, error: Damaged) -> None:
        """No retry helps: ends the whole stage, which says why. What is not done is done after the next start."""
        if not self.closing.is_set():
            self.closing.set()
            await self.on_damage(error)

    def own(self, topic: str, partition: int) -> None:
        """The partition is assigned to this worker: it gets idle ticks from now on, also before any run."""
        if not self.closing.is_set() and (topic, partition) not in self._lanes:
            self._lanes[topic, partition] = Lane(self, topic, partition)

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

    async def finish(self, within_seconds: float) -> None:
        """What the stage does beside its runs has ended when this returns; it goes on at the next run or idle tick."""
        await self._finish(within_seconds)

    async def close(self, within_seconds: float) -> None:
        """Takes nothing more; finishes the runs in hand within the bound and cancels what is left."""
        self.closing.set()
        self.drop_waiting()
        await asyncio.gather(self._end_lanes(within_seconds), self._finish(within_seconds))

    async def _end_lanes(self, within_seconds: float) -> None:
        tasks = [lane.task for lane in self._lanes.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _nothing(_: Damaged) -> None:
    """What a dispatcher without an app does with the error: its lanes have stopped."""
