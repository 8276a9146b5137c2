"""`deliver` under crashes between any two effects, redone runs, dead receivers and an archive that comes and goes.

Whatever happens, also when receivers have other addresses after a death: each receiver gets every event at least once
and, for each death, at most one again; an alert's events come in order; the archive's copy is complete in the end.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest

from alerts import AlertEvent
from alerts.delivery import Delivered, Delivery, Notification, RetryLater
from streams.stages.deliver_rows import EVENT_PREFIX
from tests.stages.deliver_harness import HOUR_MS, Death, FakeReceiver, World, down, events_of, run_of

SCHEDULES = 120


def wanted(events: list[AlertEvent]) -> set[str]:
    return {f"{event.id}.{event.revision}" for event in events if event.change != "ongoing"}


class Moody(FakeReceiver):
    """Is down at times, and refuses some notifications a few times."""

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name)
        self._rng = rng
        self.answer = self._moody
        self.is_down = False

    def _moody(self, notification: Notification, now_ms: int) -> Delivery:
        if self.is_down:
            return down(notification, now_ms)
        if self._rng.random() < 0.15:
            return RetryLater(self._rng.choice((0.0, -5.0, float("nan"), 30.0, 1e12)), "answered 413", down=False)
        return Delivered()


async def live(rng: random.Random, world: World, events: list[AlertEvent]) -> int:
    """One life after the other over the log, until all is planned, sent and copied; the number of deaths."""
    committed = deaths = 0
    for step in range(10_000):
        calm = step > 400
        world.fuse.left = rng.randint(0, 25) if not calm and rng.random() < 0.5 else None
        for receiver in world.receivers:
            assert isinstance(receiver, Moody)
            receiver.is_down = not calm and rng.random() < 0.4
        world.archive.away = not calm and rng.random() < 0.5
        try:
            if committed < len(events):
                end = min(len(events), committed + rng.randint(1, 6))
                await world.worker().handle(run_of(events[committed:end], committed))
                if rng.random() > 0.2:  # else: it dies before the commit
                    committed = end
                else:
                    raise Death
            for _ in range(rng.randint(1, 4)):
                await world.send(rounds=3)
                await world.copy()
                world.wall.now_ms += rng.choice((1_000, 30_000, HOUR_MS))
        except Death:
            world.stage, deaths = None, deaths + 1
            for receiver in world.receivers:
                receiver.endpoint = rng.choice(("", "corrected"))
            continue
        desk = world.worker().book.desks[0]
        if calm and committed == len(events) and not desk.dirty and not desk.deliveries.receivers():
            return deaths
    raise AssertionError("it never ends")


@pytest.mark.parametrize("seed", range(SCHEDULES))
async def test_nothing_is_lost_and_a_death_repeats_at_most_what_was_in_flight(seed: int) -> None:
    rng = random.Random(seed)
    events = events_of(rng, rng.randint(1, 8))
    receivers = [Moody(name, rng) for name in ("file", "webhook a", "webhook b")][: rng.randint(1, 3)]
    world = World(list(receivers), deadline_ms=100_000 * HOUR_MS)
    deaths = await live(rng, world, events)
    for receiver in receivers:
        counts = Counter(receiver.taken)
        assert set(counts) == wanted(events)
        assert sum(counts.values()) - len(counts) <= deaths
        first = {name: receiver.taken.index(name) for name in counts}
        for event in events:
            later = [f"{event.id}.{version}" for version in range(event.revision + 1, 5)]
            name = f"{event.id}.{event.revision}"
            assert all(first[name] < first[other] for other in later if name in first and other in first)
        assert await world.copied(receiver.name) == Counter(sent=len(counts))


@pytest.mark.parametrize("seed", range(20))
async def test_a_redo_with_other_cuts_plans_the_same(seed: int) -> None:
    rng = random.Random(seed)
    events = events_of(rng, 6)
    planned = []
    for _ in range(3):
        world = World([FakeReceiver("file"), FakeReceiver("webhook")])
        at = 0
        while at < len(events):
            end = min(len(events), at + rng.randint(1, 5))
            await world.plan(*events[at:end], first=at)
            if rng.random() < 0.5:
                world.stage = None
            at = end if rng.random() < 0.6 else at
        plans = (await world.worker().book.open(0)).deliveries
        planned.append(sorted((plan.receiver, plan.notification, plan.order) for plan in plans))
        bodies = {key for (_, key) in world.state.rows if key.startswith(EVENT_PREFIX)}
        assert bodies == {f"{EVENT_PREFIX}{name}" for name in wanted(events)}
    assert planned[0] == planned[1] == planned[2]
    orders = [order for receiver, _, order in planned[0] if receiver == "file"]
    assert all(before != after for before, after in pairwise(sorted(orders)))
