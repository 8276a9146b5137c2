"""Appends from threads: idempotent, acknowledged by all in-sync replicas, compressed, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import CancelledError
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.engine.ports import Send
from streams.errors import Retry, TransportError
from streams.limits import BATCH_BYTES, RECORD_BYTES, check_records, needed_bytes
from streams.transport.asking import ask
from streams.transport.kafka.cluster import Cluster
from streams.transport.kafka.ordered import OrderedSends, never_create_topics
from streams.transport.loop_thread import LoopThread

__all__ = ["Sender"]

_RETRY_SECONDS = 5.0
_CLOSE_SECONDS = 1.0


class Sender:
    """Threads may share one: it has one producer, opened at the first call, in a thread of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._timeout_seconds = cluster.options.timeout_seconds
        self._thread = LoopThread(f"kafka sender {cluster.bootstrap}")
        self._ordered: OrderedSends | None = None
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
        """Returns when all are acknowledged; of a partition those before a refused one are there, and none behind it.

        Raises TooLarge before anything is sent, Retry and TransportError.
        """
        if not sends:
            return
        check_records(sends)
        for topic in {send.topic for send in sends}:
            self.partitions(topic)  # asked for by this thread, so that a dead cluster is reported as the commands do
        try:
            self._thread.call(lambda: self._send(sends))
        except CancelledError:
            raise TransportError(f"Kafka at {self._cluster.bootstrap}: closed while records were sent") from None

    def close(self) -> None:
        """Gives what is under way a moment; senders that still wait get an error."""
        if self._thread.running:
            self._thread.call(self._close)
            self._thread.close()

    async def _send(self, sends: Sequence[Send]) -> None:
        ordered = self._opened()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await ordered.send(sends)
        except TimeoutError:
            self._partitions.clear()
            if self._ordered is ordered:
                self._ordered = None
            await ordered.close(_CLOSE_SECONDS)
            raise Retry(
                f"Kafka at {self._cluster.bootstrap} has not acknowledged {len(sends)} records in "
                f"{self._timeout_seconds:g} s; trying again",
                _RETRY_SECONDS,
            ) from None
        except (Retry, TransportError):
            self._partitions.clear()
            raise

    async def _close(self) -> None:
        ordered, self._ordered = self._ordered, None
        if ordered is not None:
            await ordered.close(_CLOSE_SECONDS)

    def _opened(self) -> OrderedSends:
        if self._ordered is None:
            self._ordered = OrderedSends(self._new_producer, lambda topic: ask(lambda: self.partitions(topic), topic))
        return self._ordered

    def _new_producer(self) -> Any:
        never_create_topics()
        return AIOKafkaProducer(
            bootstrap_servers=self._cluster.bootstrap,
            **self._cluster.options.security.options(),
            acks="all",
            enable_idempotence=True,
            compression_type="gzip",
            max_batch_size=BATCH_BYTES,
            max_request_size=needed_bytes(RECORD_BYTES),
            request_timeout_ms=max(1_000, int(self._timeout_seconds * 500)),
        )
