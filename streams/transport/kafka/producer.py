"""Faust's producer for Kafka: idempotent, acknowledged by all in-sync replicas, a run's sends as whole batches.

An idempotent producer of aiokafka never gives a batch up while its broker may come back, so a send waits through
an outage, and a retry of it cannot stand twice in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.engine.ports import Send
from streams.errors import Retry, TransportError
from streams.transport.asking import ask
from streams.transport.broker import TopicSpec
from streams.transport.kafka.client import topic_settings
from streams.transport.partitioner import partition_for

__all__ = ["Producer"]

_RETRY_AFTER_SECONDS = 1.0
_CLOSE_SECONDS = 5.0


class Producer(driver.Producer):
    """Faust's, with batches. After a refused batch a new producer takes over: the old one's numbering has a hole."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turns = count()
        self._partitions: dict[str, int] = {}
        self._reopening = asyncio.Lock()

    _producer: Any

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    async def send_batch(self, sends: Sequence[Send]) -> None:
        """Appends in the order given, per partition; returns when all in-sync replicas have all of them.

        Raises Retry when that may work later, TransportError when something has to be mended first.
        """
        arranged = await self._arranged(sends)
        producer = self._ensure_producer()
        try:
            await asyncio.gather(*(_append(producer, *place, records) for place, records in arranged.items()))
        except KafkaError as error:
            await self._replace(producer)
            text = f"Kafka took not all of {len(sends)} records: {type(error).__name__}: {error}"
            if error.retriable:
                raise Retry(text, _RETRY_AFTER_SECONDS) from error
            raise TransportError(text) from error

    async def _arranged(self, sends: Sequence[Send]) -> dict[tuple[str, int], list[Send]]:
        """The sends by topic and partition, in their order."""
        arranged: dict[tuple[str, int], list[Send]] = {}
        for send in sends:
            partition = send.partition
            if partition is None:
                partitions = self._partitions.get(send.topic) or await self._count(send.topic)
                partition = next(self._turns) % partitions if send.key is None else partition_for(send.key, partitions)
            place = (send.topic, partition)
            if (records := arranged.get(place)) is None:
                if send.topic not in self._partitions:
                    await self._count(send.topic)
                records = arranged[place] = []
            records.append(send)
        return arranged

    async def _count(self, topic: str) -> int:
        """The topic's number of partitions; a missing topic is an error here, for a broker might make it itself."""
        cluster = self.transport.cluster
        facts = (await ask(lambda: cluster.topics([topic]), "topics")).get(topic)
        if facts is None:
            raise TransportError(f"Kafka at {cluster.bootstrap} has no topic {topic!r}: create it first")
        partitions: int = facts.partitions
        self._partitions[topic] = partitions
        return partitions

    async def _replace(self, broken: Any) -> None:
        """Opens a new producer in place of `broken`, unless another lane has done so."""
        async with self._reopening:
            if self._producer is not broken:
                return
            fresh = self._new_producer()
            await fresh.start()
            self._producer = fresh
            self._partitions.clear()
            await _close(broken, _CLOSE_SECONDS)

    async def flush(self) -> None:
        """Returns when all that was sent is acknowledged, or the app's bound is over. Runs wait for their own sends."""
        try:
            async with asyncio.timeout(self.app.bound_seconds):
                await super().flush()
        except TimeoutError:
            self.log.warning("Kafka does not take what was sent; whoever sent it waits on, or is done again.")

    async def on_stop(self) -> None:
        producer, self._producer = self._producer, None
        await super().on_stop()
        if producer is not None:
            await _close(producer, self.app.bound_seconds)

    async def create_topic(
        self,
        topic: str,
        partitions: int,
        replication: int,  # noqa: ARG002  # the caller names it; the options decide
        *,
        compacting: bool | None = None,
        **_: Any,
    ) -> None:
        """Creates a table's changelog unless it stands; returns when it may be used."""
        cluster = self.transport.cluster
        spec = TopicSpec(topic, partitions, compacted=bool(compacting))

        def ensure() -> None:
            if topic not in cluster.topics([topic]):
                cluster.create({topic: topic_settings(spec, cluster.options)})

        await ask(ensure, "topics")
        await self._ensure_producer().client.force_metadata_update()

    def key_partition(self, topic: str, key: bytes) -> TP:
        return TP(topic, partition_for(key, self._partitions[topic]))


async def _append(producer: Any, topic: str, partition: int, sends: Sequence[Send]) -> None:
    """Sends to one partition, batch after batch, each as large as the broker takes it."""
    futures = []
    batch = producer.create_batch()
    try:
        for send in sends:
            if not _added(batch, send):
                futures.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                _added(batch, send)
        futures.append(await producer.send_batch(batch, topic, partition=partition))
    finally:
        done = await asyncio.gather(*futures, return_exceptions=True)
    for result in done:
        if isinstance(result, BaseException):
            raise result


def _added(batch: Any, send: Send) -> bool:
    return (
        batch.append(timestamp=send.timestamp_ms, key=send.key, value=send.value, headers=list(send.headers))
        is not None
    )


async def _close(producer: Any, bound_seconds: float) -> None:
    """Lets the producer finish what it was given, within a bound; then it is cut off, for its broker is away."""
    stopping = asyncio.ensure_future(producer.stop())
    done, _ = await asyncio.wait({stopping}, timeout=bound_seconds)
    if not done:
        producer._sender.sender_task.cancel()
        await producer.client.close()
        stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
