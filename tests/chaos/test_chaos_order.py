"""Batches that Kafka refuses, and two replays into one namespace at once."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from streams.sample import write_sample
from streams.transport.kafka.client import KafkaBroker
from tests.chaos.conftest import Report
from tests.chaos.workers import wait_until
from tests.chaos.world import World
from tests.integration.replays import Outcome, command, environment, outcome, replay

SMALL_BYTES = 2_000  # an empty batch of mentions passes, one with items does not
TAKING_BYTES = 64 << 20
SPEED = 10_000  # 20 s for the two days of those lines: long enough for the other to start meanwhile
REPLAYED_LINES = 400


def _limit(world: World, topics: Sequence[str], size_bytes: int) -> None:
    """Changes what the topics take; returns when the broker goes by it."""
    assert isinstance(world.broker, KafkaBroker)
    cluster = world.broker.cluster
    for topic in topics:
        cluster.configure(topic, {"max.message.bytes": str(size_bytes)})
    wait_until(
        lambda: all(found["max.message.bytes"] == str(size_bytes) for found in cluster.configs(topics).values()),
        f"max.message.bytes={size_bytes}",
    )


def test_batches_are_refused(world: World, report: Report, long: bool) -> None:
    refused_seconds = 20 if long else 3
    feed = world.feed()
    world.publish([*feed.records, *feed.end])
    worker = world.start("only")
    worker.wait_for_runs(2, "watch", at_most_seconds=240)
    for topic in (world.settings.topics.mentions, world.changelog()):
        seen = worker.errors.count(f"refused a batch for {topic}")
        _limit(world, [topic], SMALL_BYTES)
        wait_until(
            lambda topic=topic, seen=seen: worker.errors.count(f"refused a batch for {topic}") > seen,  # type: ignore[misc]
            f"a batch for {topic} is refused",
            at_most_seconds=240,
        )
        time.sleep(refused_seconds)  # how long it lasts is the scenario
        _limit(world, [topic], TAKING_BYTES)
    world.drain()
    report(f"batches of mentions and rows refused for {refused_seconds} s each", world.judge())


def test_two_replays_into_one_namespace_at_once(kafka_url: str, tmp_path: Path) -> None:
    """One runs, the other is refused; what is left is what the one alone leaves."""
    write_sample(tmp_path / "sample.ndjson")
    files = [tmp_path / "first.ndjson", tmp_path / "second.ndjson"]
    with (tmp_path / "sample.ndjson").open("rb") as lines:
        for file in files:
            file.write_bytes(b"".join(islice(lines, REPLAYED_LINES)))
    kafka = {"broker_url": kafka_url, "prefix": f"{uuid.uuid4().hex[:8]}.", "kafka_session_seconds": 6}
    processes = [
        subprocess.Popen(
            command("replay", file, "--into", "both", "--json", "--speed", str(SPEED)),
            env=environment(tmp_path, **kafka), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for file in files
    ]  # fmt: skip
    ends = [(*process.communicate(), process.returncode) for process in processes]
    assert sorted(code != 0 for *_, code in ends) == [False, True], ends
    [(file, _)] = [(file, end) for file, end in zip(files, ends, strict=True) if end[2] == 0]
    [refused] = [errors for _, errors, code in ends if code != 0]
    assert "another replay runs into namespace both" in " ".join(refused.split())
    alone = tmp_path / "alone"
    replay(alone, file, "both")
    assert _same(outcome(tmp_path, "both", **kafka), outcome(alone, "both"))


def _same(one: Outcome, other: Outcome) -> bool:
    return (one.items, one.rows, one.alerts, one.rejects) == (other.items, other.rows, other.alerts, other.rejects)
