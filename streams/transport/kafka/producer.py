"""Faust's producer for Kafka: idempotent, acknowledged by all in-sync replicas, in order and in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.engine.ports import Send
from streams.errors import TransportError
from streams.limits import ROW_BYTES
from streams.logs import get_logger
from streams.transport import internals
from streams.transport.asking import ask
from streams.transport.broker import TopicSpec
from streams.transport.kafka.ordered import OrderedSends
from streams.transport.kafka.topic_settings import require_size, topic_settings
from streams.transport.partitioner import partition_for

__all__ = ["Producer"]

log = get_logger(__name__)


class Producer(driver.Producer):
    """Faust's, with sends in order (`streams.transport.kafka.ordered`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ordered = OrderedSends(lambda: internals.new_producer(self), self._count)
        super().__init__(*args, **kwargs)

    @property
    def _producer(self) -> Any:
        """aiokafka's, where Faust looks for it: after a refused batch it is another one."""
        return self._ordered.producer

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    async def on_start(self) -> None:
        await super(driver.Producer, self).on_start()  # past Faust's, which would open a producer of its own
        await self._ordered.open()

    async def send_batch(self, sends: Sequence[Send]) -> None:
        """Appends in the order given, per partition; returns when all in-sync replicas have all of them.

        Raises Retry when that may work later, TransportError when something has to be changed first.
        """
        await self._ordered.send(sends)

    async def _count(self, topic: str) -> int:
        """The topic's number of partitions; a missing topic is an error here, for a broker might make it itself."""
        cluster = self.transport.cluster
        facts = (await ask(lambda: cluster.topics([topic]), "topics")).get(topic)
        if facts is None:
            raise TransportError(f"Kafka at {cluster.bootstrap} has no topic {topic!r}: create it first")
        partitions: int = facts.partitions
        return partitions

    async def flush(self) -> None:
        """Returns when all that was sent is acknowledged, or the app's bound is over. Runs wait for their own sends."""
        try:
            async with asyncio.timeout(self.app.bound_seconds):
                await self.buffer.flush()
                await self._ordered.flush()
        except TimeoutError:
            log.warning("Kafka has not acknowledged all records; their runs wait, or are repeated")

    async def on_stop(self) -> None:
        await super(driver.Producer, self).on_stop()
        await self._ordered.close(self.app.bound_seconds)

    async def create_topic(
        self,
        topic: str,
        partitions: int,
        replication: int,  # noqa: ARG002  # the caller names it; the options decide
        *,
        compacting: bool | None = None,
        **_: Any,
    ) -> None:
        """Creates a table's changelog unless it exists; returns when it may be used.

        One with fewer partitions than the stage's topic has by now gets more: rows name their partition, so those that
        exist stay where they are. Raises TransportError for one that takes no row of the size that we write.
        """
        cluster = self.transport.cluster
        spec = TopicSpec(topic, partitions, compacted=bool(compacting))

        def ensure() -> None:
            found = cluster.topics([topic]).get(topic)
            if found is None:
                cluster.create({topic: topic_settings(spec, cluster.options)})
                return
            require_size(cluster.configs([topic]), ROW_BYTES, cluster.bootstrap)
            if found.partitions < partitions:
                cluster.extend(topic, partitions)

        await ask(ensure, "topics")
        await (await self._ordered.open()).client.force_metadata_update()

    def key_partition(self, topic: str, key: bytes) -> TP:
        return TP(topic, partition_for(key, self._ordered.known_partitions(topic)))
