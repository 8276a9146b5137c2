"""Workers that are killed, asked to stop, and joined by others, in the middle of their work."""

from __future__ import annotations

import random
import time

from tests.chaos.conftest import Report
from tests.chaos.world import World


def test_a_worker_killed_at_random_moments(world: World, report: Report, long: bool) -> None:
    rng = random.Random(9)
    feed = world.feed()
    world.publish([*feed.records, *feed.end])
    for number in range(6 if long else 2):
        worker = world.start(f"killed{number}")
        worker.wait_for_runs(rng.randint(2, 8))
        time.sleep(rng.random() * 0.3)  # the moment is what is random
        worker.kill()
    world.start("last")
    world.drain()
    report("worker kill -9", world.judge())
