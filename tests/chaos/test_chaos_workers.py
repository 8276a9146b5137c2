"""Workers that are killed, paused, asked to stop and joined by others in the middle of their work."""

from __future__ import annotations

import random
import signal
import time

import pytest

from streams.engine.ports import Send
from streams.transport.kafka.client import KafkaBroker
from tests.chaos.conftest import Report
from tests.chaos.workers import wait_until
from tests.chaos.world import SESSION_SECONDS, World

DRAINS_WITHIN_SECONDS = 10
CLEAN_SOON = {"segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01", "min.compaction.lag.ms": "0"}


def test_a_worker_killed_at_random_moments(world: World, report: Report, long: bool) -> None:
    rng = random.Random(9)
    feed = world.feed()
    world.publish([*feed.records, *feed.end])
    for number in range(6 if long else 2):
        worker = world.start(f"killed{number}")
        worker.wait_for_runs(rng.randint(2, 6))
        time.sleep(rng.random() * 0.3)  # the moment is what is random
        worker.kill()
    world.start("last")
    world.drain()
    report("worker kill -9", world.judge())


def test_sigterm_in_mid_run_and_nothing_is_done_twice(world: World, report: Report, long: bool) -> None:
    rng = random.Random(5)
    feed = world.feed()
    world.publish([*feed.records, *feed.end])
    seconds = []
    for number in range(5 if long else 2):
        worker = world.start(f"stopped{number}")
        worker.wait_for_runs(rng.randint(2, 6))
        time.sleep(rng.random() * 0.2)  # the moment is what is random
        seconds.append(worker.terminate())
    last = world.start("last")
    world.drain()
    seconds.append(last.terminate())
    figures = world.judge()
    report(f"SIGTERM in mid-run (ended within {max(seconds):.1f} s)", figures)
    assert figures.processed_twice == 0
    assert figures.announced_twice == 0
    assert max(seconds) < DRAINS_WITHIN_SECONDS


def test_a_second_worker_joins_and_leaves_and_nothing_is_done_twice(world: World, report: Report) -> None:
    feed = world.feed()
    before, rest = feed.cut(0.2)
    world.publish(before)
    first = world.start("first")
    first.wait_for_runs(4)
    with world.publishing([*rest, *feed.end]):
        second = world.start("second")
        second.wait_for_runs(4)
        first.wait_for_runs(4)
        second.terminate()
        first.wait_for_runs(2)
    world.drain()
    first.terminate()
    figures = world.judge()
    report("a second worker joins and leaves", figures)
    assert figures.processed_twice == 0
    assert figures.announced_twice == 0


def test_a_worker_that_wakes_after_its_session_and_a_cleaned_log(world: World, report: Report) -> None:
    feed = world.feed()
    begin, middle, later, rest = feed.cut(0.5, 0.7, 0.9)
    paused, other = world.start("paused"), world.start("other")
    with world.publishing(begin):
        other.wait_for_runs(2)
        paused.wait_for_runs(2)
        paused.tell(signal.SIGSTOP)
        time.sleep(SESSION_SECONDS)  # only time ends a session
        other.wait_for_runs(2)
    world.drain()
    paused.tell(signal.SIGCONT)
    world.publish(middle)
    world.drain()
    _clean(world, later)
    for worker in (paused, other):
        worker.kill()
    world.start("restored")
    world.publish([*rest, *feed.end])
    world.drain()
    report("a worker paused past its session, and the log cleaner", world.judge())


def _clean(world: World, sends: list[Send]) -> None:
    """Publishes, and returns when the cleaner has been over the rows' log: rows that were replaced are gone."""
    assert isinstance(world.broker, KafkaBroker)
    topic = world.changelog()
    world.broker.cluster.configure(topic, CLEAN_SOON)
    before = sum(1 for _ in world.broker.scan(topic))
    step = max(len(sends) // 4, 1)
    for start in range(0, len(sends), step):
        world.publish(sends[start : start + step])
        time.sleep(1.2)  # a segment is closed by the first record after its second
    world.drain()

    def cleaned() -> bool:
        return sum(1 for _ in world.broker.scan(topic)) < before

    wait_until(cleaned, "the log cleaner has been over the rows", at_most_seconds=90)


@pytest.mark.chaos_long
def test_three_workers_killed_one_after_another(world: World, report: Report) -> None:
    rng = random.Random(3)
    feed = world.feed()
    with world.publishing([*feed.records, *feed.end]):
        workers = [world.start(f"first{number}") for number in range(3)]
        for number in range(4):
            victim = workers.pop(rng.randrange(len(workers)))
            victim.wait_for_runs(rng.randint(1, 4))
            victim.kill()
            workers.append(world.start(f"next{number}"))
            wait_until(lambda worker=workers[-1]: len(worker.done()) > 0 or world.lag() == 0, "the next one works")  # type: ignore[misc]
    world.drain()
    report("three workers, killed one after another", world.judge())
