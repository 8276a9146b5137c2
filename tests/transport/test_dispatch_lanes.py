"""Lanes: order within a partition, retries that block it, idle ticks at its end, a bounded end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from alerts.backoff import Backoff
from streams.engine.runs import Record, Run
from streams.errors import LeaseLost, Retry, TransportError
from streams.transport.dispatch import Dispatcher
from streams.transport.lane import BACKOFF, Pace


@dataclass
class Event:
    value: Run


def event(partition: int, offset: int) -> Event:
    return Event(Run("t", partition, 2, "e", [Record(offset, None, b"v", 0)], offset + 1))


@dataclass
class FakeSource:
    """Remembers what became of the runs."""

    done: list[tuple[int, int]] = field(default_factory=list)
    dropped: list[tuple[int, int]] = field(default_factory=list)
    ended: bool = True
    lost: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def run_done(self, event: Event) -> None:
        self.changed.set()
        self.done.append((event.value.partition, event.value.last_offset))

    def run_dropped(self, event: Event) -> None:
        self.dropped.append((event.value.partition, event.value.last_offset))

    def at_end(self, topic: str, partition: int) -> bool:
        return self.ended

    async def check_lease(self, event: Any | None = None) -> None:
        if self.lost:
            raise LeaseLost("given out anew")

    def look_ahead(self, event: Event) -> None:
        """There is nothing more."""


@dataclass
class FakeStage:
    """Fails as told, and waits where told."""

    failures: dict[tuple[int, int], list[Exception]] = field(default_factory=dict)
    gates: dict[tuple[int, int], asyncio.Event] = field(default_factory=dict)
    calls: list[tuple[int, int]] = field(default_factory=list)
    ticks: list[tuple[int, int]] = field(default_factory=list)
    ticked: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    forgotten: list[int] = field(default_factory=list)
    busy: set[int] = field(default_factory=set)

    async def handle(self, run: Run) -> None:
        assert run.partition not in self.busy
        self.busy.add(run.partition)
        try:
            place = (run.partition, run.last_offset)
            self.calls.append(place)
            self.began.set()
            if place in self.gates:
                await self.gates[place].wait()
            if self.failures.get(place):
                raise self.failures[place].pop(0)
        finally:
            self.busy.discard(run.partition)

    async def idle(self, partition: int, now_ms: int) -> None:
        assert partition not in self.busy
        self.ticks.append((partition, now_ms))
        self.ticked.set()
        if self.failures.get((partition, -1)):
            raise self.failures[partition, -1].pop(0)

    def forget(self, partition: int) -> None:
        self.forgotten.append(partition)


@dataclass
class Rig:
    stage: FakeStage
    source: FakeSource
    lanes: Dispatcher


@pytest.fixture
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.transport.lane.BACKOFF", Backoff(0.001, 60.0))


@pytest.fixture
async def rig() -> Rig:
    stage, source = FakeStage(), FakeSource()
    return Rig(stage, source, Dispatcher(stage, lambda: source, pace=Pace(idle_seconds=0.02), now_ms=lambda: 77))


async def until_done(rig: Rig, count: int) -> None:
    async with asyncio.timeout(5):
        while len(rig.source.done) < count:
            rig.source.changed.clear()
            await rig.source.changed.wait()


async def test_partitions_run_side_by_side_and_each_in_order(rig: Rig) -> None:
    rig.stage.gates[0, 0] = asyncio.Event()
    for offset in range(3):
        rig.lanes.take(event(0, offset))
        rig.lanes.take(event(1, offset))
    await until_done(rig, 3)
    assert rig.source.done == [(1, 0), (1, 1), (1, 2)]
    rig.stage.gates[0, 0].set()
    await until_done(rig, 6)
    assert rig.source.done[3:] == [(0, 0), (0, 1), (0, 2)]
    await rig.lanes.close(1)


@pytest.mark.usefixtures("no_back_off")
async def test_a_run_that_fails_is_tried_again_before_any_later_one(rig: Rig) -> None:
    rig.stage.failures[0, 0] = [Retry("archive is full", 0.001), ValueError("a bug"), KeyError()]
    rig.lanes.take(event(0, 0))
    rig.lanes.take(event(0, 1))
    await until_done(rig, 2)
    assert rig.stage.calls == [(0, 0)] * 4 + [(0, 1)]
    await rig.lanes.close(1)


async def test_a_lost_lease_drops_the_run_without_acknowledging_it(rig: Rig) -> None:
    rig.stage.failures[0, 0] = [LeaseLost("somebody else's now")]
    rig.lanes.take(event(0, 0))
    rig.lanes.take(event(0, 1))
    await until_done(rig, 1)
    assert rig.source.done == [(0, 1)]
    assert rig.source.dropped == [(0, 0)]
    await rig.lanes.close(1)


async def test_idle_ticks_come_at_the_end_of_an_owned_partition(rig: Rig) -> None:
    rig.lanes.own("t", 1)
    async with asyncio.timeout(5):
        await rig.stage.ticked.wait()
    assert rig.stage.ticks[0] == (1, 77)
    rig.source.ended = False
    rig.stage.ticks.clear()
    await asyncio.sleep(0.1)
    assert rig.stage.ticks == []
    await rig.lanes.close(1)


async def test_a_run_of_a_lost_lease_is_dropped_before_its_stage_sees_it(rig: Rig) -> None:
    rig.source.lost = True
    rig.lanes.take(event(0, 0))
    rig.lanes.take(event(0, 1))
    async with asyncio.timeout(5):
        while len(rig.source.dropped) < 2:  # noqa: ASYNC110  # the fake has no event for it
            await asyncio.sleep(0)
    assert rig.stage.calls == []
    assert rig.source.done == []
    await rig.lanes.close(1)


async def until_ticked(rig: Rig, ticks: int) -> None:
    async with asyncio.timeout(5):
        while len(rig.stage.ticks) < ticks:
            rig.stage.ticked.clear()
            await rig.stage.ticked.wait()


async def test_a_failing_idle_tick_does_not_end_the_lane(rig: Rig) -> None:
    rig.stage.failures[0, -1] = [Retry("later"), RuntimeError("a bug")]
    rig.lanes.own("t", 0)
    await until_ticked(rig, 3)
    rig.lanes.take(event(0, 0))
    await until_done(rig, 1)
    await rig.lanes.close(1)


async def test_an_idle_tick_that_goes_on_failing_is_logged_once_an_episode(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    full = "No space left for the broker's file"
    rig.stage.failures[0, -1] = [*(TransportError(full) for _ in range(5)), Retry("the end")]
    rig.lanes.own("t", 0)
    await until_ticked(rig, 8)
    rig.stage.failures[0, -1] = [TransportError(full)]
    await until_ticked(rig, len(rig.stage.ticks) + 2)
    await rig.lanes.close(1)
    assert [message.rpartition("error=")[2] for message in caplog.messages] == [full, "the end", full]


async def test_closing_finishes_what_is_in_hand_and_drops_what_waits(rig: Rig) -> None:
    gate = rig.stage.gates[0, 0] = asyncio.Event()
    rig.lanes.take(event(0, 0))
    rig.lanes.take(event(0, 1))
    await rig.stage.began.wait()
    closing = asyncio.create_task(rig.lanes.close(5))
    await asyncio.sleep(0)
    rig.lanes.take(event(0, 2))
    gate.set()
    await closing
    assert rig.source.done == [(0, 0)]
    assert rig.source.dropped == [(0, 1), (0, 2)]
    assert rig.stage.calls == [(0, 0)]


async def test_closing_cancels_a_run_that_does_not_end(rig: Rig) -> None:
    rig.stage.gates[0, 0] = asyncio.Event()
    rig.lanes.take(event(0, 0))
    await rig.stage.began.wait()
    await rig.lanes.close(0.01)
    assert rig.source.done == []
    assert rig.source.dropped == [(0, 0)]


async def test_closing_ends_a_long_back_off_at_once(rig: Rig) -> None:
    rig.stage.failures[0, 0] = [Retry("for an hour", 3600)]
    rig.lanes.take(event(0, 0))
    await rig.stage.began.wait()
    async with asyncio.timeout(2):
        await rig.lanes.close(60)
    assert rig.source.dropped == [(0, 0)]


async def test_a_revoked_partition_is_forgotten(rig: Rig) -> None:
    rig.stage.gates[0, 0] = asyncio.Event()
    rig.lanes.take(event(0, 0))
    rig.lanes.take(event(0, 1))
    await rig.stage.began.wait()
    rig.lanes.forget("t", 0)
    await asyncio.sleep(0)
    assert rig.stage.forgotten == [0]
    assert sorted(rig.source.dropped) == [(0, 0), (0, 1)]
    await rig.lanes.close(1)


def test_the_back_off_doubles_up_to_a_minute_and_heeds_what_is_asked() -> None:
    waits = [BACKOFF.wait_seconds(attempt, chance=0.5) for attempt in range(1, 12)]
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert waits[-1] == 60.0
    assert BACKOFF.wait_seconds(1, chance=0.5, asked_seconds=30.0) == 30.0
    assert BACKOFF.wait_seconds(10_000, chance=0.999) <= 75.0
    assert BACKOFF.wait_seconds(3, chance=0.0) < BACKOFF.wait_seconds(3, chance=0.9)


async def test_runs_of_a_partition_begin_apart_and_others_do_not_wait() -> None:
    source, stage = FakeSource(), FakeStage()
    dispatcher = Dispatcher(stage, lambda: source, pace=Pace(min_run_interval_seconds=0.05))
    clock = asyncio.get_running_loop().time
    began = clock()
    for place in [(0, 1), (0, 2), (0, 3), (1, 1)]:
        dispatcher.take(event(*place))
    while len(source.done) < 4:
        source.changed.clear()
        await source.changed.wait()
    assert clock() - began >= 0.1
    assert source.done[:2] == [(0, 1), (1, 1)]
    assert source.done[2:] == [(0, 2), (0, 3)]
    await dispatcher.close(1)


async def test_a_run_that_waits_for_its_time_is_dropped_at_the_end_at_once() -> None:
    source, stage = FakeSource(), FakeStage()
    dispatcher = Dispatcher(stage, lambda: source, pace=Pace(min_run_interval_seconds=3_600))
    dispatcher.take(event(0, 1))
    dispatcher.take(event(0, 2))
    await source.changed.wait()
    async with asyncio.timeout(5):
        await dispatcher.close(3_600)
    assert (source.done, source.dropped) == ([(0, 1)], [(0, 2)])
