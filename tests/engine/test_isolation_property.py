"""Poison among good records: each is parked once in effect, all others are counted once, in order, over any crash."""

from __future__ import annotations

import random

import pytest

from alerts.backoff import Backoff
from streams.engine.isolation import Fault, fault_of, reject_of
from streams.errors import NewerVersion, Reject, Retry, TransportError
from streams.transport import lane
from streams.transport.lane import Pace
from tests.engine.isolation_harness import STEPS, Crash, Driver, Poisoned, World, counted

SCHEDULES = 80
RECORDS = 40


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "BACKOFF", Backoff(0.0, 0.0))


def poison_of(rng: random.Random, share: float) -> dict[int, tuple[int, Exception]]:
    """Poison at random; the last record is good, so that each has a later one."""
    found: dict[int, tuple[int, Exception]] = {}
    for offset in range(RECORDS - 1):
        if rng.random() < share:
            error = rng.choice([ValueError("x" * 2_000), OverflowError(), Reject("odd"), Reject("odd", "", offset)])
            found[offset] = (rng.randrange(STEPS), error)
    return found


async def lives(world: World, stage: Poisoned, rng: random.Random, *, crashes: bool) -> int:
    """Until all is committed; the number of crashes."""
    died = 0
    while world.committed < world.records:
        world.left = rng.randint(0, 25) if crashes and rng.random() < 0.6 else None
        try:
            await Driver(world, stage, rng).live()
        except Crash:
            died += 1
    return died


async def test_good_records_count_once_and_poison_is_parked() -> None:
    died = parked = 0
    for seed in range(SCHEDULES):
        rng = random.Random(seed)
        poison = poison_of(rng, rng.choice([0.03, 0.15, 0.6]))
        world = World(RECORDS)
        died += await lives(world, Poisoned(world, poison), rng, crashes=True)
        assert set(world.parked) == set(poison), f"seed {seed}"
        good = dict.fromkeys(set(range(RECORDS)) - set(poison), 1)
        for log in world.logs:
            assert {k: v for k, v in counted(log).items() if k not in poison} == good, f"seed {seed}"
        assert good.keys() <= world.archived
        parked += len(poison)
    assert died > SCHEDULES / 2, "hardly a crash: the schedules say little"
    assert parked > SCHEDULES


async def test_without_a_crash_each_is_parked_once() -> None:
    for seed in range(40):
        rng = random.Random(seed)
        poison = poison_of(rng, 0.3)
        world = World(RECORDS)
        await lives(world, Poisoned(world, poison), rng, crashes=False)
        assert world.parked == dict.fromkeys(poison, 1)


@pytest.mark.parametrize("works_until", [0, 17])
async def test_a_stage_that_fails_on_everything_parks_and_acknowledges_nothing(works_until: int) -> None:
    rng = random.Random(1)
    world = World(RECORDS)
    stage = Poisoned(world, {offset: (0, ValueError("broken")) for offset in range(works_until, RECORDS)})
    driver = Driver(world, stage, rng)
    await driver.live(until=lambda: stage.calls > 2_000)
    assert not world.parked
    assert world.committed <= works_until
    assert driver.looked_ahead > 0


async def test_what_heals_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(RECORDS)
    stage = Poisoned(world, {}, sick=True)

    class Heals(Backoff):
        def wait_seconds(self, failures: int, **_: float) -> float:
            stage.sick = failures < 6
            return 0.0

    monkeypatch.setattr(lane, "BACKOFF", Heals(0.0, 0.0))
    await lives(world, stage, random.Random(2), crashes=False)
    assert not world.parked
    assert counted(world.logs[0]) == dict.fromkeys(range(RECORDS), 1)


async def test_the_last_record_waits_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "BACKOFF", Backoff(60.0, 60.0))  # what arrives ends the wait
    world = World(10)
    stage = Poisoned(world, {0: (0, ValueError("first of all"))})
    driver = Driver(world, stage, random.Random(3), published=1)

    def arrives() -> bool:
        if driver.looked_ahead and driver.published == 1:
            assert not world.parked
            driver.publish(9)
        return False

    await driver.live(until=arrives)
    assert world.parked == {0: 1}
    assert counted(world.logs[0]) == dict.fromkeys(range(1, 10), 1)


async def test_a_lone_record_is_parked_where_the_stage_has_worked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(10)
    stage = Poisoned(world, {9: (0, ValueError("last of all"))})
    driver = Driver(world, stage, random.Random(4))
    driver.lanes.pace = Pace(lone_seconds=0.0)
    await driver.live()
    assert world.parked == {9: 1}


async def test_a_lone_record_without_any_evidence_is_not_parked() -> None:
    world = World(1)
    stage = Poisoned(world, {0: (0, ValueError("the first and only"))})
    driver = Driver(world, stage, random.Random(5))
    driver.lanes.pace = Pace(lone_seconds=0.0)
    await driver.live(until=lambda: stage.calls > 200)
    assert not world.parked
    assert world.committed == 0


def test_only_errors_that_may_be_of_a_record_are_searched_for() -> None:
    world = [Retry("later"), TransportError("away"), NewerVersion("x", 2, 1), OSError(), MemoryError(), TimeoutError()]
    assert {fault_of(error) for error in world} == {Fault.WORLD}
    assert fault_of(Reject("bad")) is Fault.RECORD
    assert {fault_of(error) for error in (ValueError(), OverflowError(), RecursionError(), KeyError())} == {
        Fault.SUSPECT
    }
    reject = reject_of(ValueError("long\n" * 1_000))
    assert reject.reason == "failed"
    assert len(reject.detail) <= 500
    assert reject.detail.startswith("ValueError: long long")
