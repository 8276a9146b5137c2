"""Faust's producer of the embedded broker: everything goes through the process's one writer thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from faust.transport.producer import Producer as BaseProducer
from faust.types import TP
from mode import Seconds, want_seconds

from streams.engine.ports import Send
from streams.transport.partitioner import partition_for

__all__ = ["Producer"]


class Producer(BaseProducer):
    """Sends are acknowledged when they are on disk."""

    async def on_stop(self) -> None:
        await super().on_stop()
        await self.flush()
        self.transport.release()

    async def send_batch(self, sends: Sequence[Send]) -> None:
        """Appends in the order given, in one transaction; returns when all are durable. Raises TransportError.

        The only way to send: Faust's own, record by record, is not used.
        """
        await self.transport.broker.writer.send(sends)

    async def flush(self) -> None:
        """Returns when all that was sent is durable."""
        await self.buffer.flush()
        await self.transport.broker.writer.flush()

    async def create_topic(
        self,
        topic: str,
        partitions: int,
        replication: int,  # noqa: ARG002  # the caller names it
        *,
        retention: Seconds | None = None,
        compacting: bool | None = None,
        **_: Any,
    ) -> None:
        """Creates the topic unless it exists; a compacted one keeps the last record of each key."""
        retention_ms = None if retention is None else int(want_seconds(retention) * 1000)
        await asyncio.to_thread(
            self.transport.broker.store.create_topic,
            topic,
            partitions,
            compacted=bool(compacting),
            retention_ms=retention_ms,
        )

    def key_partition(self, topic: str, key: bytes) -> TP:
        partitions = self.transport.broker.store.topics()[topic].partitions
        return TP(topic, partition_for(key, partitions))
