"""Following topics without a group, over both brokers."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from streams.engine.ports import Send
from streams.errors import TopicChanged, TransportError
from streams.transport.broker import TopicSpec, open_broker
from streams.transport.sqlite.client import EmbeddedBroker
from streams.transport.tail import Grown, Tail, TailFrom
from tests.transport.contract_broker import ContractBroker

PARTITIONS = 2


@pytest.fixture
def topics(broker: ContractBroker) -> ContractBroker:
    broker.create(TopicSpec("a", PARTITIONS), TopicSpec("b", 1))
    return broker


def numbered(topic: str, *numbers: int, partition: int = 0) -> list[Send]:
    return [Send(topic, b"k", b"%d" % number, partition) for number in numbers]


def values(found: Sequence[Grown]) -> list[int]:
    return [int(record.value or b"") for grown in found for record in grown.records]


def polled(tail: Tail, count: int) -> list[Grown]:
    """Polls until so many records came, or were passed over."""
    found: list[Grown] = []
    until = time.monotonic() + 20
    while sum(len(one.records) + one.passed for one in found) < count:
        assert time.monotonic() < until, found
        found += tail.poll(0.5)
    return found


def test_what_is_there_comes_first_and_then_what_is_appended(topics: ContractBroker) -> None:
    topics.publish([*numbered("a", *range(1_200)), *numbered("a", 7_000, partition=1)])
    with topics.broker.tail([TailFrom(topics.name("a"), back=None), TailFrom(topics.name("b"))]) as tail:
        assert sorted(values(polled(tail, 1_201))) == [*range(1_200), 7_000]
        topics.publish(numbered("b", 1, 2))
        assert values(polled(tail, 2)) == [1, 2]
        assert tail.next_offsets == {(topics.name("a"), 0): 1_200, (topics.name("a"), 1): 1, (topics.name("b"), 0): 2}
        assert tail.epochs == {topics.name(one): topics.epoch(one) for one in ("a", "b")}


def test_it_begins_with_the_last_records_or_where_it_was(topics: ContractBroker) -> None:
    topics.publish([*numbered("a", *range(100)), *numbered("a", *range(100, 200), partition=1)])
    with topics.broker.tail([TailFrom(topics.name("a"), back=20)]) as tail:
        assert sorted(values(polled(tail, 20))) == [*range(90, 100), *range(190, 200)]
    with topics.broker.tail([TailFrom(topics.name("a"), at={0: 97, 1: 100})]) as tail:
        assert values(polled(tail, 3)) == [97, 98, 99]


def test_of_more_than_a_reader_wants_the_newest_come(topics: ContractBroker) -> None:
    topics.publish(numbered("b", 0))
    with topics.broker.tail([TailFrom(topics.name("b"), most=10)]) as tail:
        tail.poll(0.1)
        topics.publish(numbered("b", *range(1, 501)))
        found = polled(tail, 500)
        assert values(found)[-1] == 500
        assert len(values(found)) <= 20
        assert sum(one.passed for one in found) == 500 - len(values(found))
        assert found[-1].next_offset == 501


def test_a_wait_ends_when_something_is_appended(topics: ContractBroker) -> None:
    with topics.broker.tail([TailFrom(topics.name("b"))]) as tail, open_broker(topics.url) as other:
        tail.poll(0.1)
        late = threading.Timer(0.3, lambda: other.append([Send(topics.name("b"), b"k", b"1", 0)]))
        late.start()
        begin = time.monotonic()
        assert values(polled(tail, 1)) == [1]
        assert time.monotonic() - begin < 10
        late.join()


def test_no_group_is_left_and_a_topic_that_is_missing_is_named(topics: ContractBroker) -> None:
    with pytest.raises(TransportError, match="nowhere"):
        topics.broker.tail([TailFrom(topics.name("nowhere"))])
    with topics.broker.tail([TailFrom(topics.name("b"))]) as tail:
        tail.poll(0.1)
        if isinstance(topics.broker, EmbeddedBroker):
            assert not topics.broker.store.held_back(0)


def test_a_topic_that_is_made_again_ends_it(topics: ContractBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.transport.kafka.tail._CHECK_SECONDS", 0.0)
    with topics.broker.tail([TailFrom(topics.name("b"))]) as tail:
        topics.publish(numbered("b", 1))
        polled(tail, 1)
        topics.delete("b")
        topics.create(TopicSpec("b", 1))
        with pytest.raises(TopicChanged, match="made again"):
            tail.poll(0.1)
