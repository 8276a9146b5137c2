"""A channel that is dead for an hour, while workers are killed and the archive is away."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from alerts.delivery import Status
from tests.chaos.conftest import MakeWorld, Report
from tests.chaos.gate import Gate
from tests.chaos.workers import wait_until
from tests.chaos.world import World
from tests.webhook_receiver import WebhookReceiver, receiving

SPEED = 240
"""An hour of the notifications' clock takes 15 s."""
HOUR_MS = 3_600_000
KILLS = 3


@pytest.fixture
def pager() -> Iterator[WebhookReceiver]:
    """Dead until it gets another status."""
    with receiving(503) as server:
        yield server


def test_a_channel_dead_for_an_hour(
    make_world: MakeWorld,
    gate: Gate,
    pager: WebhookReceiver,
    kafka_url: str,
    elastic_url: str,
    monkeypatch: pytest.MonkeyPatch,
    report: Report,
) -> None:
    monkeypatch.setenv("CHAOS_HASTE", f"{SPEED} {time.time()}")
    world = make_world(kafka_url, elastic_url, gate.url, WEBHOOK_URL=pager.url)
    feed = world.feed()
    world.publish([*feed.records, *feed.end])
    worker = world.start("killed0")
    wait_until(lambda: world.planned() != [], "something is planned", 240)
    gate.status = 503  # the archive is away as well: what is planned goes out all the same
    before = 0
    for number in range(1, KILLS + 1):
        wait_until(lambda before=before: len(pager.posts) > before, "the pager is asked", 120)  # type: ignore[misc]
        worker.kill()
        worker = world.start(f"killed{number}")
        _wait_for_file(world)
        before = len(pager.posts)
    gate.status = None
    world.catch_up()
    _wait_for_file(world)
    planned = world.planned()
    waiting = [plan for plan in planned if plan.status is Status.WAITING]
    first_ms = min(plan.since_ms for plan in planned)
    assert {plan.receiver for plan in waiting} == {"webhook"}
    wait_until(lambda: max(plan.updated_ms for plan in world.planned()) - first_ms > HOUR_MS, "an hour is over", 120)
    pager.status = 204
    world.drain()
    figures = world.judge()
    taken = pager.taken
    times = Counter(taken)
    sent = {f"{group.id}.{group.revision}" for group in world.messages()["webhook"]}
    assert set(times) == sent
    assert sum(times.values()) - len(times) <= KILLS
    firsts = [name for at, name in enumerate(taken) if name not in taken[:at]]
    for group in {name.rpartition(".")[0] for name in firsts}:
        versions = [int(name.rpartition(".")[2]) for name in firsts if name.rpartition(".")[0] == group]
        assert versions == sorted(versions)
    assert figures.announced_twice <= KILLS
    report(f"a channel dead for an hour, {KILLS} kills, the archive away ({len(sent)} notifications)", figures)


def _wait_for_file(world: World) -> None:
    """Until the healthy channel has all that is planned."""

    def done() -> bool:
        plans = [plan for plan in world.planned() if plan.receiver == "file"]
        return bool(plans) and all(plan.status is Status.SENT for plan in plans)

    wait_until(done, "the file has all", 240)
