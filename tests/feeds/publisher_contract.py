"""What every publisher promises; run over the embedded broker here and over Kafka in tests/integration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.errors import TransportError
from streams.feeds.publisher import Publisher


@dataclass(frozen=True)
class Broker:
    """A broker under test: a new publisher on it, a new topic in it, and what stands in a partition."""

    publisher: Callable[[], Publisher]
    topic: Callable[[int], str]
    records: Callable[[str, int], list[Record]]


class PublisherContract:
    """Subclasses give the fixture `broker`."""

    def test_records_arrive_whole_and_in_order(self, broker: Broker) -> None:
        topic = broker.topic(1)
        publisher = broker.publisher()
        publisher.publish(
            [
                Send(topic, b"k", b"first", headers=(("h", b"1"), ("i", b"")), timestamp_ms=1_680_000_000_000),
                Send(topic, b"k", "zweiter \u00fc".encode() * 10_000, timestamp_ms=1_680_000_000_001),
                Send(topic, b"end", None, 0, (("moodwire-end", b"5"),)),
            ]
        )
        publisher.publish([Send(topic, b"k", str(n).encode()) for n in range(1_000)])
        publisher.close()
        first, second, end, *rest = broker.records(topic, 0)
        assert (first.key, first.value, first.headers) == (b"k", b"first", (("h", b"1"), ("i", b"")))
        assert (first.timestamp_ms, second.timestamp_ms) == (1_680_000_000_000, 1_680_000_000_001)
        assert second.value == "zweiter \u00fc".encode() * 10_000
        assert (end.value, end.headers) == (None, (("moodwire-end", b"5"),))
        assert [record.value for record in rest] == [str(n).encode() for n in range(1_000)]

    def test_keys_choose_partitions_and_a_named_partition_goes_before(self, broker: Broker) -> None:
        topic = broker.topic(3)
        publisher = broker.publisher()
        publisher.publish([Send(topic, str(n).encode(), b"x") for n in range(60)])
        publisher.publish([Send(topic, str(n).encode(), b"y") for n in range(60)])
        publisher.publish([Send(topic, b"0", b"z", partition) for partition in range(3)])
        assert publisher.partitions(topic) == 3
        publisher.close()
        found = [broker.records(topic, partition) for partition in range(3)]
        assert all(len(records) > 10 for records in found)
        for records in found:
            assert {r.key for r in records if r.value == b"x"} == {r.key for r in records if r.value == b"y"}
            assert [r.key for r in records if r.value == b"z"] == [b"0"]

    def test_notes_outlive_the_publisher(self, broker: Broker) -> None:
        topic = broker.topic(1)
        publisher = broker.publisher()
        assert publisher.progress("replay:a") is None
        publisher.publish([Send(topic, b"k", b"1")], {"replay:a": "1", "feed:b": "\u00fc"})
        publisher.publish([], {"replay:a": "2"})
        assert publisher.progress("replay:a") == "2"
        publisher.close()
        again = broker.publisher()
        assert (again.progress("replay:a"), again.progress("feed:b"), again.progress("c")) == ("2", "\u00fc", None)
        again.close()
        assert len(broker.records(topic, 0)) == 1

    def test_a_missing_topic_is_named_and_nothing_is_noted(self, broker: Broker) -> None:
        publisher = broker.publisher()
        with pytest.raises(TransportError, match="absent-topic"):
            publisher.publish([Send("absent-topic", b"k", b"v")], {"a": "1"})
        with pytest.raises(TransportError, match="absent-topic"):
            publisher.partitions("absent-topic")
        assert publisher.progress("a") is None
        publisher.close()
