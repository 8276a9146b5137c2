"""A topic that was deleted stays deleted, whoever asks about it, on a cluster that makes what is asked about."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from streams.transport.kafka.cluster import Cluster
from streams.transport.kafka.options import KafkaOptions

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("kind", [KafkaConsumer, KafkaProducer])
def test_a_client_that_asks_about_a_topic_does_not_make_it(
    kafka_bootstrap: str, unique_topic: Callable[[str], str], kind: type
) -> None:
    cluster, topic = Cluster([kafka_bootstrap], KafkaOptions()), unique_topic("deleted")
    client = cluster.open(kind, **({"max_block_ms": 2_000} if kind is KafkaProducer else {}))
    try:
        if kind is KafkaConsumer:
            client.subscribe([topic])
            client.poll(2_000)  # a cluster that makes topics has made it within milliseconds
        else:
            with pytest.raises(KafkaError):
                client.send(topic, b"x").get()
        assert cluster.topics([topic]) == {}
    finally:
        client.close()
        cluster.close()
