"""The publisher's contract over a real Kafka broker, and what only Kafka can do wrong."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.errors import Retry, SettingsError, TooLarge
from streams.feeds.publisher import open_publisher
from streams.feeds.replay import Replay
from streams.transport.kafka import sender
from streams.transport.kafka.cluster import Cluster
from streams.transport.kafka.options import KafkaOptions
from streams.transport.kafka.security import KafkaSecurity
from streams.transport.partitioner import partition_for
from tests.feeds.publisher_contract import Broker, PublisherContract

pytestmark = pytest.mark.integration


@pytest.fixture
def broker(kafka_bootstrap: str, unique_topic: Callable[[str], str]) -> Broker:
    notes = unique_topic("notes")

    def topic(partitions: int) -> str:
        name = unique_topic("feed")
        admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
        admin.create_topics({name: {"num_partitions": partitions}}, wait_for_metadata=True)
        admin.close()
        return name

    def records(topic: str, partition: int) -> list[Record]:
        return [
            Record(r.offset, r.key, r.value, r.timestamp, tuple(r.headers))
            for r in read(kafka_bootstrap, topic, partition)
        ]

    return Broker(lambda: open_publisher(f"kafka://{kafka_bootstrap}", progress_topic=notes), topic, records)


def read(bootstrap: str, topic: str, partition: int) -> list[Any]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    place = TopicPartition(topic, partition)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    end = consumer.end_offsets([place])[place]
    found: list[Any] = []
    while consumer.position(place) < end:
        for records in consumer.poll(500).values():
            found += records
    consumer.close()
    return found


class TestKafkaPublisher(PublisherContract):
    def test_the_partition_of_a_key_is_the_embedded_brokers(self, broker: Broker) -> None:
        topic = broker.topic(5)
        publisher = broker.publisher()
        keys = [n.to_bytes(4, "big") for n in range(100)]
        publisher.publish([Send(topic, key, b"") for key in keys])
        publisher.close()
        placed = {record.key: partition for partition in range(5) for record in broker.records(topic, partition)}
        assert placed == {key: partition_for(key, 5) for key in keys}


def test_a_replay_goes_on_where_it_stopped(broker: Broker, tmp_path: Path) -> None:
    news, rejects = broker.topic(2), broker.topic(1)
    path = tmp_path / "news.ndjson"
    path.write_text(
        "\n".join(f'{{"title": "t{n}", "source": "s", "published": {1_680_000_000 + n}}}' for n in range(50))
    )
    for published in (50, 50):
        publisher = broker.publisher()
        done = Replay(path, news_topic=news, rejects_topic=rejects).run(publisher)
        publisher.close()
        assert (done.published, done.complete) == (published, True)
    records = [record for partition in range(2) for record in broker.records(news, partition)]
    assert sum(record.value is not None for record in records) == 50
    assert sum(record.value is None for record in records) == 2


def test_a_record_that_is_too_large_is_an_error_and_the_next_call_works(broker: Broker) -> None:
    topic = broker.topic(1)
    publisher = broker.publisher()
    with pytest.raises(TooLarge, match="5,000,001 bytes"):
        publisher.publish([Send(topic, b"k", b"x" * 5_000_000)])
    publisher.publish([Send(topic, b"k", b"small")])
    publisher.close()
    assert [record.value for record in broker.records(topic, 0)] == [b"small"]


def test_threads_share_one_producer_and_all_their_notes_are_kept(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[AIOKafkaProducer] = []

    def counted(**options: Any) -> AIOKafkaProducer:
        made.append(AIOKafkaProducer(**options))
        return made[-1]

    monkeypatch.setattr(sender, "AIOKafkaProducer", counted)
    topic, publisher = broker.topic(1), broker.publisher()

    def publish(number: int) -> None:
        publisher.publish([Send(topic, b"k", b"%d" % number)], {f"feed:{number}": "x"})

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(publish, range(24)))
    publisher.close()
    assert len(made) == 1
    assert sorted(int(record.value or b"") for record in broker.records(topic, 0)) == list(range(24))
    again = broker.publisher()
    assert [again.progress(f"feed:{number}") for number in range(24)] == ["x"] * 24
    again.close()


# kafka-python leaves the sockets of refused connections to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_that_is_not_there_is_to_be_tried_again_and_leaves_nothing_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL + 1, "kafka")  # what is logged here would hold those sockets
    options = KafkaOptions(timeout_seconds=0.5)
    publisher = open_publisher("kafka://127.0.0.1:1", progress_topic="notes", kafka=options)
    before = threading.active_count()
    calls: list[Callable[[], object]] = [
        lambda: publisher.publish([Send("t", b"k", b"v")]),
        lambda: publisher.progress("a"),
    ]
    for call in calls:
        with pytest.raises(Retry, match=r"127\.0\.0\.1:1") as caught:
            call()
        assert caught.value.retry_after_seconds > 0
    publisher.close()
    assert threading.active_count() == before
    del caught
    gc.collect()


def test_secrets_are_not_shown() -> None:
    security = KafkaSecurity("SASL_PLAINTEXT", "SCRAM-SHA-256", "reader", "hunter2")
    cluster = Cluster(["broker:9092"], KafkaOptions(security=security))
    assert "hunter2" not in repr(security) + repr(cluster) + str(cluster)
    assert "reader" in repr(security)


def test_wrong_security_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SASL_TLS"):
        KafkaSecurity("SASL_TLS")
    with pytest.raises(SettingsError, match="a password"):
        KafkaSecurity("SASL_SSL", "PLAIN", "reader")
    with pytest.raises(SettingsError, match="certificates"):
        Cluster(["b:1"], KafkaOptions(security=KafkaSecurity("SSL", ca_file=str(tmp_path / "no.pem"))))
