"""A rolling upgrade from an earlier revision, and back: workers of both at once on the same topics, rows and indices.

    make chaos UPGRADE_FROM=REVISION ARGS=tests/chaos/test_chaos_upgrade.py

The earlier revision is any commit that has this suite's worker; it runs with the packages that are installed here.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.chaos.conftest import Report
from tests.chaos.workers import ROOT
from tests.chaos.world import World

REVISION = os.environ.get("UPGRADE_FROM", "")


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The code of the earlier revision, in a folder."""
    packed, folder = tmp_path / "earlier.tar", tmp_path / "earlier"
    folder.mkdir()
    subprocess.run(["git", "archive", "--output", packed, REVISION], cwd=ROOT, check=True)
    subprocess.run(["tar", "-xf", packed, "-C", folder], check=True)
    return folder


@pytest.mark.skipif(not REVISION, reason="names no earlier revision: UPGRADE_FROM=REVISION")
def test_an_upgrade_and_the_way_back_keep_every_count(world: World, report: Report, earlier: Path) -> None:
    feed = world.feed()
    before, rest = feed.cut(0.3)
    world.publish(before)
    old = world.start("old", earlier)
    old.wait_for_runs(4)
    with world.publishing([*rest, *feed.end]):
        new = world.start("new")
        new.wait_for_runs(3)
        old.wait_for_runs(3)
        old.terminate()
        new.wait_for_runs(3)
        back = world.start("back", earlier)
        back.wait_for_runs(3)
        new.terminate()
        back.wait_for_runs(3)
        last = world.start("last")
        last.wait_for_runs(3)
        back.kill()
    world.drain()
    last.terminate()
    report(f"upgrade from {REVISION} and back", world.judge())
