"""A right that one process has at a time, over both brokers; and what only a group on Kafka can do wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from streams.errors import LeaseLost, StageTaken
from streams.transport.broker import Broker, TopicSpec, open_broker
from streams.transport.kafka.claim import Holder
from streams.transport.kafka.options import KafkaOptions
from tests.transport.contract_broker import KAFKA_SESSION_SECONDS, ContractBroker

KAFKA = KafkaOptions(session_seconds=KAFKA_SESSION_SECONDS)

HOLD = """
import sys, time
from streams.transport.broker import open_broker
from streams.transport.kafka.options import KafkaOptions
url, name, topic, session = sys.argv[1:]
with open_broker(url, KafkaOptions(session_seconds=float(session))) as broker, broker.claim(name, topic) as check:
    print("held", flush=True)
    for line in sys.stdin:
        try:
            check()
        except Exception as error:
            print(type(error).__name__, flush=True)
        else:
            print("mine", flush=True)
"""


@pytest.fixture
def topic(broker: ContractBroker) -> str:
    broker.create(TopicSpec("control", 1, compacted=True))
    return broker.name("control")


def opened(broker: ContractBroker) -> Broker:
    return open_broker(broker.url, KAFKA)


def taken(broker: ContractBroker, topic: str) -> bool:
    """Whether another process has the right; otherwise it is taken and given back."""
    with opened(broker) as other:
        try:
            with other.claim(broker.name("replay"), topic) as check:
                check()
        except StageTaken:
            return True
    return False


def candidate(broker: ContractBroker, topic: str) -> subprocess.Popen[str] | None:
    """Another process that has the right, each line makes it check; None when it was refused."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, broker.url, broker.name("replay"), topic, str(KAFKA_SESSION_SECONDS)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    if answer(process) == "held":
        return process
    assert StageTaken.__name__ in process.communicate()[1]
    return None


def holder(broker: ContractBroker, topic: str) -> subprocess.Popen[str]:
    process = candidate(broker, topic)
    assert process is not None
    return process


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ask(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def ended(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_second_one_is_refused_and_the_first_keeps_it(broker: ContractBroker, topic: str) -> None:
    with opened(broker) as one, one.claim(broker.name("replay"), topic) as check:
        assert taken(broker, topic)
        check()
        assert taken(broker, topic)
        check()
    assert not taken(broker, topic)


def test_of_several_at_once_one_has_it(broker: ContractBroker, topic: str) -> None:
    processes = 3
    with ThreadPoolExecutor(processes) as threads:
        found = list(threads.map(lambda _: candidate(broker, topic), range(processes)))
    held = [process for process in found if process is not None]
    assert len(held) == 1
    ended(held[0])


def test_one_that_was_killed_is_forgotten(broker: ContractBroker, topic: str) -> None:
    ended(holder(broker, topic))
    began = time.monotonic()
    assert not taken(broker, topic)
    assert time.monotonic() - began < 20 * KAFKA_SESSION_SECONDS  # a few seconds on a quiet machine


def test_one_that_was_paused_past_its_session_finds_out_before_it_writes(broker: ContractBroker, topic: str) -> None:
    if not broker.is_kafka:
        pytest.skip("an embedded broker's lock is held while the process lives")
    process = holder(broker, topic)
    try:
        ask(process)
        assert answer(process) == "mine"
        os.kill(process.pid, signal.SIGSTOP)
        assert not taken(broker, topic)  # it waits until the session of the paused one is over
        ask(process)
        os.kill(process.pid, signal.SIGCONT)
        assert answer(process) == LeaseLost.__name__
    finally:
        ended(process)


class Topics:
    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0, 1}


@pytest.mark.parametrize(
    ("since_ms", "winner"),
    [({"a": 0, "b": 0}, "a"), ({"a": 0, "b": 7}, "b"), ({"a": 9, "b": 7}, "a"), ({"a": 7, "b": 9, "c": 0}, "b")],
)
def test_who_has_it_keeps_it(since_ms: dict[str, int], winner: str) -> None:
    members = {}
    for name, held_since_ms in since_ms.items():
        one = Holder()
        one.since_ms = held_since_ms
        members[name] = one.metadata(["t"])
    assigned = Holder().assign(Topics(), members)
    assert {name for name, assignment in assigned.items() if assignment.assignment} == {winner}
    assert list(assigned[winner].assignment) == [("t", [0, 1])]
