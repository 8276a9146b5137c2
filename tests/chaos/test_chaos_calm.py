"""The reference itself: a quiet run agrees with it, and it tells when something is wrong."""

from __future__ import annotations

from tests.chaos.conftest import Report
from tests.chaos.world import World


def test_a_quiet_run(world: World, report: Report) -> None:
    feed = world.feed()
    world.publish([*feed.records, *feed.end])
    world.start("only")
    world.drain()
    report("nothing happens", world.judge())
