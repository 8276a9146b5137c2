"""Workers in processes of their own, killed, stopped, paused and joined by others: counts stay exact."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.engine.ports import Send
from streams.transport.broker import TopicSpec
from tests.transport.contract_broker import KAFKA_SESSION_SECONDS, ContractBroker
from tests.transport.worker_processes import WorkerProcess, counts, times_done, wait_until

PARTITIONS = 2
GROUP = "test.killed"

Start = Callable[..., WorkerProcess]


@pytest.fixture
def topics(broker: ContractBroker) -> ContractBroker:
    broker.create(TopicSpec("in", PARTITIONS), TopicSpec("out", 1))
    return broker


@pytest.fixture
def start(topics: ContractBroker) -> Iterator[Start]:
    """Starts workers; those that a failed test leaves behind are killed."""
    started: list[WorkerProcess] = []

    def begin(hold: Path | None = None) -> WorkerProcess:
        started.append(WorkerProcess(topics, GROUP, PARTITIONS, hold))
        return started[-1]

    yield begin
    for worker in started:
        if worker.process.returncode is None:
            worker.end(signal.SIGKILL)


def records(count: int) -> list[Send]:
    return [Send("in", b"key%d" % (n % 5), b"%d" % n, n % PARTITIONS) for n in range(count)]


def drain(topics: ContractBroker) -> None:
    wait_until(lambda: topics.lag(GROUP, "in") == 0)


def assert_exact(topics: ContractBroker, sends: list[Send]) -> None:
    assert counts(topics, GROUP, PARTITIONS) == Counter((send.key or b"").decode() for send in sends)
    copied = Counter(int(record.value or b"") for record in topics.records("out"))
    assert set(copied) == set(range(len(sends)))


class Publishing:
    """Publishes in a thread, a little at a time, until all is published."""

    def __init__(self, topics: ContractBroker, sends: list[Send], batch: int, pause_seconds: float) -> None:
        self._thread = threading.Thread(target=self._publish, args=(topics, sends, batch, pause_seconds))
        self._thread.start()

    def _publish(self, topics: ContractBroker, sends: list[Send], batch: int, pause_seconds: float) -> None:
        for at in range(0, len(sends), batch):
            topics.publish(sends[at : at + batch])
            time.sleep(pause_seconds)

    def finish(self) -> None:
        self._thread.join()


@pytest.mark.slow
def test_counts_are_exact_after_kill_9_at_random_moments_while_another_process_publishes(
    topics: ContractBroker, start: Start
) -> None:
    moments = random.Random(9)
    sends = records(6_000)
    at = 0
    for _ in range(2 if topics.is_kafka else 4):
        worker = start()
        for _ in range(moments.randrange(3, 12)):
            topics.publish(sends[at : at + 100])
            at += 100
            worker.wait_for_runs(1)
        worker.end(signal.SIGKILL)
        topics.compact()
    topics.publish(sends[at:])
    worker = start()
    drain(topics)
    worker.end(signal.SIGTERM)
    assert_exact(topics, sends)


@pytest.mark.slow
def test_after_sigterm_the_next_worker_does_nothing_again(topics: ContractBroker, start: Start) -> None:
    topics.publish(records(5_000))
    workers = []
    for runs in (2, 9, 17):
        workers.append(start())
        workers[-1].wait_for_runs(runs)
        workers[-1].end(signal.SIGTERM)
    workers.append(start())
    drain(topics)
    workers[-1].end(signal.SIGTERM)
    times = times_done(workers)
    assert set(times.values()) == {1}
    assert len(times) == 5_000
    assert sorted(int(record.value or b"") for record in topics.records("out")) == list(range(5_000))


@pytest.mark.slow
def test_a_second_process_is_told_that_the_stage_is_taken(topics: ContractBroker, start: Start) -> None:
    if topics.is_kafka:
        pytest.skip("on Kafka workers share a stage")
    topics.publish([Send("in", b"k", b"v")])
    first = start()
    first.wait_for_runs(1)
    second = start()
    second.wait()
    assert second.process.returncode == 3
    assert f"Stage {topics.name(GROUP)} already runs" in second.errors
    assert f"process {first.process.pid}" in second.errors
    first.end(signal.SIGKILL)
    third = start()
    topics.publish([Send("in", b"k", b"v")])
    third.wait_for_runs(1)
    third.end(signal.SIGTERM)


@pytest.mark.slow
def test_a_second_worker_joins_and_leaves_and_nothing_is_done_twice(topics: ContractBroker, start: Start) -> None:
    if not topics.is_kafka:
        pytest.skip("an embedded broker has one worker per stage")
    sends = records(20_000)
    first = start()
    publishing = Publishing(topics, sends, 200, 0.3)
    first.wait_for_runs(20)
    second = start()
    second.wait_for_runs(20)
    second.end(signal.SIGTERM)
    publishing.finish()
    drain(topics)
    first.end(signal.SIGTERM)
    times = times_done([first, second])
    assert len(times) == len(sends)
    assert set(times.values()) == {1}
    assert_exact(topics, sends)


@pytest.mark.slow
def test_a_worker_that_was_paused_past_its_session_damages_nothing(topics: ContractBroker, start: Start) -> None:
    if not topics.is_kafka:
        pytest.skip("an embedded broker's worker keeps its lock while it is paused")
    sends = records(20_200)
    first, second = start(), start()
    publishing = Publishing(topics, sends[:20_000], 200, 0.3)
    first.wait_for_runs(10)
    second.wait_for_runs(10)
    first.tell(signal.SIGSTOP)
    time.sleep(KAFKA_SESSION_SECONDS + 4)  # until the group has gone on without it: only time does that
    second.wait_for_runs(10)
    first.tell(signal.SIGCONT)
    publishing.finish()
    drain(topics)
    first.end(signal.SIGKILL)
    second.end(signal.SIGKILL)
    third = start()
    topics.publish(sends[20_000:])
    drain(topics)
    third.end(signal.SIGTERM)
    assert_exact(topics, sends)


@pytest.mark.slow
def test_a_worker_that_wakes_in_mid_run_after_its_session_writes_nothing(
    topics: ContractBroker, start: Start, tmp_path: Path
) -> None:
    if not topics.is_kafka:
        pytest.skip("an embedded broker's worker keeps its lock while it is paused")
    hold = tmp_path / "hold"
    hold.touch()
    sends = records(400)
    topics.publish(sends[:200])
    first = start(hold)
    wait_until(lambda: "holding" in first.errors)
    first.tell(signal.SIGSTOP)
    second = start()
    second.wait_for_runs(4)
    drain(topics)
    hold.unlink()
    first.tell(signal.SIGCONT)
    wait_until(lambda: "Run dropped: another worker has it" in first.errors)
    topics.publish(sends[200:])
    drain(topics)
    second.end(signal.SIGTERM)
    first.end(signal.SIGTERM)
    times = times_done([first, second])
    assert set(times.values()) == {1}
    assert sorted(int(record.value or b"") for record in topics.records("out")) == list(range(400))
    assert_exact(topics, sends)
