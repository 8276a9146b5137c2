"""Appends from a thread, over kafka-python: idempotent, acknowledged by all in-sync replicas, compressed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from streams.engine.ports import Send
from streams.errors import TransportError
from streams.transport.kafka.cluster import Cluster

__all__ = ["Sender"]

_LINGER_MS = 20  # one call brings a batch of hundreds; longer gains nothing
_BATCH_BYTES = 262_144
_LARGEST_REQUEST_BYTES = 4 * 1024 * 1024  # an item has at most 0.5 MB


class Sender:
    """One instance serves one thread at a time. After a failure the next call opens a new producer."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._timeout_seconds = cluster.options.timeout_seconds
        self._producer: Any = None
        self._partitions: dict[str, int] = {}

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has; raises TransportError when there is none of that name."""
        if topic not in self._partitions:
            facts = self._cluster.topics([topic]).get(topic)
            if facts is None:
                raise TransportError(f"Kafka at {self._cluster.bootstrap} has no topic {topic}; create it first")
            self._partitions[topic] = facts.partitions
        return self._partitions[topic]

    def send(self, sends: Sequence[Send]) -> None:
        """Returns when all are acknowledged; raises Retry or TransportError.

        After a failure the producer is given up with what it still holds.
        """
        if not sends:
            return
        for topic in {send.topic for send in sends}:
            self.partitions(topic)  # else a missing topic would be a time-out
        with self._cluster.explained():
            try:
                self._send(sends)
            except KafkaError:
                self._give_up()
                raise

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=self._timeout_seconds)

    def _send(self, sends: Sequence[Send]) -> None:
        producer = self._open()
        futures = [producer.send(s.topic, s.value, s.key, list(s.headers), s.partition, s.timestamp_ms) for s in sends]
        producer.flush(timeout=self._timeout_seconds)
        for future in futures:
            future.get(timeout=self._timeout_seconds)

    def _open(self) -> Any:
        if self._producer is None:
            milliseconds = int(self._timeout_seconds * 1000)
            self._producer = self._cluster.open(
                KafkaProducer,
                acks="all",
                enable_idempotence=True,
                compression_type="gzip",
                linger_ms=_LINGER_MS,
                batch_size=_BATCH_BYTES,
                max_request_size=_LARGEST_REQUEST_BYTES,
                max_block_ms=milliseconds,
                request_timeout_ms=max(1_000, milliseconds // 2),
                delivery_timeout_ms=milliseconds,
                bootstrap_timeout_ms=milliseconds,
                allow_auto_create_topics=False,
            )
        return self._producer

    def _give_up(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=0)
