"""Random poison among good records, through the real lanes of a dispatcher, with crashes between any two effects.

A `World` is what outlives a crash: the archive, the log of the next topic in two partitions, the parked records and the
committed offset. `Poisoned` is a stage with the effects of `score`, which fails on some records at one of its steps.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.engine.isolation import Culprit
from streams.engine.runs import Record, Run
from streams.transport.dispatch import Dispatcher
from streams.transport.lane import Pace

__all__ = ["Crash", "Driver", "Poisoned", "World", "counted"]

STEPS = 4
TARGETS = 2


class Crash(BaseException):
    """The process dies here; nothing catches it."""


@dataclass
class World:
    """What outlives a crash; every effect burns the fuse, which may blow before or after it."""

    records: int
    committed: int = 0
    archived: set[int] = field(default_factory=set)
    logs: list[list[int]] = field(default_factory=lambda: [[] for _ in range(TARGETS)])
    parked: Counter[int] = field(default_factory=Counter)
    parked_reasons: dict[int, str] = field(default_factory=dict)
    left: int | None = None

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Crash


def counted(log: Sequence[int]) -> Counter[int]:
    """What `watch` counts of a log of positions: only what is newer than all before."""
    last, found = -1, Counter[int]()
    for offset in log:
        if offset > last:
            last = offset
            found[offset] += 1
    return found


@dataclass
class Poisoned:
    """Archives a run, then sends it to each target; poison fails at its step, a sick stage at everything."""

    world: World
    poison: dict[int, tuple[int, Exception]]
    sick: bool = False
    calls: int = 0

    async def handle(self, run: Run) -> None:
        self.calls += 1
        if self.sick:
            raise RuntimeError("the stage is broken")
        offsets = [record.offset for record in run.records]
        self._fail(offsets, 0)
        self.world.burn()
        self.world.archived.update(offsets)
        await asyncio.sleep(0)
        for target in range(TARGETS):
            self._fail(offsets, 1 + target)
            self.world.burn()
            self.world.logs[target] += offsets
        self._fail(offsets, STEPS - 1)
        self.world.burn()

    def _fail(self, offsets: Sequence[int], step: int) -> None:
        for offset in offsets:
            if offset in self.poison and self.poison[offset][0] == step:
                raise self.poison[offset][1]

    async def idle(self, partition: int, now_ms: int) -> None:
        """Nothing."""

    def forget(self, partition: int) -> None:
        """Nothing is kept."""


@dataclass
class FakeParking:
    """Keeps what was parked before the crash."""

    world: World

    async def park(self, run: Run, culprits: Sequence[Culprit]) -> None:
        for one in culprits:
            self.world.burn()
            self.world.parked[one.record.offset] += 1
            self.world.parked_reasons[one.record.offset] = one.reject.reason


@dataclass
class _Event:
    value: Run
    message: Any = None


class Driver:
    """One life of a worker: hands out runs from the committed offset on until all is done, or it dies.

    `published` is how many records there are now; `back_off` is called where the lane would wait.
    """

    def __init__(self, world: World, stage: Poisoned, rng: random.Random, *, published: int | None = None) -> None:
        self.world = world
        self.published = world.records if published is None else published
        self._rng = rng
        self._next = world.committed
        self._in_flight = 0
        self._acked: dict[int, bool] = {}
        self.over = asyncio.Event()
        self.looked_ahead = 0
        self.lanes = Dispatcher(stage, lambda: self, pace=Pace(idle_seconds=60.0), parking=FakeParking(world))

    def publish(self, count: int) -> None:
        """More records arrive."""
        self.published += count
        self.hand_out()

    def hand_out(self) -> None:
        if self._next < self.published:
            end = min(self.published, self._next + self._rng.randint(1, 9))
            records = [Record(offset, None, b"", 0) for offset in range(self._next, end)]
            self._next = end
            self._in_flight += 1
            self.lanes.take(_Event(Run("t", 0, 1, "e", records, self.published)))

    def run_done(self, event: _Event) -> None:
        self._in_flight -= 1
        if self._rng.random() > 0.2 or event.value.last_offset + 1 == self.world.records:
            self.world.committed = max(self.world.committed, event.value.last_offset + 1)
        if event.value.last_offset + 1 == self.world.records:
            self.over.set()
        elif not self._in_flight:
            self.hand_out()

    def run_dropped(self, event: _Event) -> None:
        """It is read again in the next life."""

    def at_end(self, topic: str, partition: int) -> bool:
        return False

    async def check_lease(self, event: Any | None = None) -> None:
        """The lease is always held."""

    def look_ahead(self, event: Any) -> None:
        self.looked_ahead += 1
        self.hand_out()

    async def live(self, until: Callable[[], bool] = lambda: False) -> None:
        """Raises `Crash` when the fuse blows."""
        self.hand_out()
        lane = self.lanes._lanes["t", 0].task
        over = asyncio.ensure_future(self.over.wait())
        try:
            async with asyncio.timeout(60):
                while not (lane.done() or over.done() or until()):  # noqa: ASYNC110  # `until` has no event
                    await asyncio.sleep(0)
            if lane.done():
                lane.result()
        finally:
            over.cancel()
            await self.lanes.close(1)
