"""A worker in a process of its own, killed and stopped: exact counts, and nothing twice after a clean stop."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from streams.engine.ports import Send
from streams.transport.faust_app import TopicSpec
from tests.transport.contract_broker import EmbeddedBroker

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "tests.transport.worker_program"
PARTITIONS = 2
GROUP = "test.killed"
CHANGELOG = f"{GROUP}-rows-changelog"


def start(broker: EmbeddedBroker) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", PROGRAM, str(broker.store.path), GROUP, "in", "out", str(PARTITIONS)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_runs(process: subprocess.Popen[str], runs: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(runs)]


def end(process: subprocess.Popen[str], number: signal.Signals) -> list[str]:
    """Ends the process and returns what it had still said."""
    process.send_signal(number)
    out, errors = process.communicate(timeout=20)
    if number is signal.SIGTERM:
        assert process.returncode == 0, errors
    return out.split("\n")[:-1]


def wait_until_drained(broker: EmbeddedBroker, at_most_seconds: float = 30) -> None:
    deadline = time.monotonic() + at_most_seconds
    while broker.lag(GROUP, "in"):
        assert time.monotonic() < deadline, "not drained in time"
        time.sleep(0.05)


def counts(broker: EmbeddedBroker) -> Counter[str]:
    """The rows that a restart would restore: the last of each key in the changelog."""
    total: Counter[str] = Counter()
    for partition in range(PARTITIONS):
        rows = {record.key: record.value for record in broker.records(CHANGELOG, partition)}
        for key, value in rows.items():
            if key is not None and b"|n/" in key and value is not None:
                total[key.split(b"|n/")[1].decode()] += json.loads(value)[1]
    return total


@pytest.fixture
def topics(broker: EmbeddedBroker) -> EmbeddedBroker:
    broker.create(TopicSpec("in", PARTITIONS), TopicSpec("out", 1))
    return broker


@pytest.mark.slow
def test_counts_are_exact_after_kill_9_at_random_moments_while_another_process_publishes(
    topics: EmbeddedBroker,
) -> None:
    moments = random.Random(9)
    sends = [Send("in", b"key%d" % (n % 5), b"%d" % n) for n in range(6_000)]
    at = 0
    for _ in range(4):
        worker = start(topics)
        for _ in range(moments.randrange(3, 12)):
            topics.publish(sends[at : at + 100])
            at += 100
            wait_for_runs(worker, 1)
        end(worker, signal.SIGKILL)
        topics.store.compact(force=True)
    topics.publish(sends[at:])
    worker = start(topics)
    wait_until_drained(topics)
    end(worker, signal.SIGTERM)
    assert counts(topics) == Counter((send.key or b"").decode() for send in sends)
    copied = Counter(int(record.value or b"") for record in topics.records("out"))
    assert set(copied) == set(range(6_000))


@pytest.mark.slow
def test_after_sigterm_the_next_worker_does_nothing_again(topics: EmbeddedBroker) -> None:
    topics.publish([Send("in", b"k", b"%d" % n) for n in range(5_000)])
    done: list[str] = []
    for runs in (2, 9, 17):
        worker = start(topics)
        done += wait_for_runs(worker, runs)
        done += end(worker, signal.SIGTERM)
    worker = start(topics)
    wait_until_drained(topics)
    done += end(worker, signal.SIGTERM)
    offsets: Counter[tuple[int, int]] = Counter()
    for line in done:
        _, partition, first, last = line.split()
        offsets.update((int(partition), offset) for offset in range(int(first), int(last) + 1))
    assert set(offsets.values()) == {1}
    assert len(offsets) == 5_000
    assert sorted(int(record.value or b"") for record in topics.records("out")) == list(range(5_000))


@pytest.mark.slow
def test_a_second_process_is_told_that_the_stage_is_taken(topics: EmbeddedBroker) -> None:
    topics.publish([Send("in", b"k", b"v")])
    first = start(topics)
    wait_for_runs(first, 1)
    second = start(topics)
    _, errors = second.communicate(timeout=20)
    assert second.returncode == 3
    assert f"Stage {GROUP} already runs" in errors
    assert f"process {first.pid}" in errors
    end(first, signal.SIGKILL)
    third = start(topics)
    topics.publish([Send("in", b"k", b"v")])
    wait_for_runs(third, 1)
    end(third, signal.SIGTERM)
