"""The Kafka fixture brings a real broker: it takes idempotent writes and gives them back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

pytestmark = pytest.mark.integration


def test_idempotent_writes_come_back_in_order(kafka_bootstrap: str, unique_topic: Callable[[str], str]) -> None:
    topic = unique_topic("smoke")
    values = [str(number).encode() for number in range(100)]

    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap, enable_idempotence=True, acks="all")
    futures = [producer.send(topic, value=value, key=b"one") for value in values]
    offsets = [future.get(timeout=30).offset for future in futures]
    producer.close()

    consumer = KafkaConsumer(
        bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=10_000
    )
    consumer.assign([TopicPartition(topic, 0)])
    read = [(record.offset, record.value) for record, _ in zip(consumer, values, strict=False)]
    consumer.close()

    assert offsets == list(range(100))
    assert read == list(enumerate(values))
