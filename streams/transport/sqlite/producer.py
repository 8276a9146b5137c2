"""Faust's producer of the embedded broker: everything goes through the process's one writer thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from faust.transport.producer import Producer as BaseProducer
from faust.types import TP, RecordMetadata
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

    async def send_batch(self, sends: Sequence[Send]) -> list[tuple[int, int]]:
        """Appends in the order given, in one transaction; returns (partition, offset) of each once durable.

        Raises TransportError.
        """
        return await self.transport.broker.writer.send(sends)  # type: ignore[no-any-return]

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: Any,
        **_: Any,
    ) -> Awaitable[RecordMetadata]:
        """Queues one record; the result resolves when it is durable."""
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        timestamp_ms = None if timestamp is None else int(timestamp * 1000)
        send = Send(topic, key, value, partition, tuple(pairs), timestamp_ms)
        written = self.transport.broker.writer.send((send,))
        metadata: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()

        def resolve(done: asyncio.Future[list[tuple[int, int]]]) -> None:
            if metadata.done():
                return
            error = done.exception()
            if error is not None:
                metadata.set_exception(error)
            else:
                metadata.set_result(_metadata(topic, done.result()[0], timestamp))

        written.add_done_callback(resolve)
        return metadata

    async def send_and_wait(self, *args: Any, **kwargs: Any) -> RecordMetadata:
        return await (await self.send(*args, **kwargs))

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
        """Creates the topic unless it stands; a compacted one keeps the last record of each key."""
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

    def supports_headers(self) -> bool:
        return True


def _metadata(topic: str, placed: tuple[int, int], timestamp: float | None) -> RecordMetadata:
    partition, offset = placed
    return RecordMetadata(topic, partition, TP(topic, partition), offset, timestamp, 1)
