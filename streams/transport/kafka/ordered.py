"""Sends to Kafka in the order given: one batch of a partition at a time, and none behind one that was refused.

    sends ── by partition ─┬─ topic/0: batch ─▶ acknowledged ─▶ next batch …
                           └─ topic/1: batch ─▶ refused: stop, open another producer, raise

An idempotent producer of aiokafka never gives a batch up while its broker may come back, so a send waits through an
outage, and a retry of it cannot be in the log twice. A refused batch leaves a hole in the producer's numbering: where
the broker has no earlier batch of it, what follows the hole would land. So a producer is replaced after a refusal, and
until then nothing else goes to that partition.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any

import aiokafka.client
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    RecordListTooLargeError,
    UnknownProducerId,
)
from aiokafka.protocol.metadata import MetadataRequest

from streams.engine.ports import Send
from streams.errors import Retry, TransportError
from streams.limits import RECORD_BYTES, needed_bytes
from streams.transport import internals
from streams.transport.partitioner import partition_for

__all__ = ["OrderedSends", "close_producer", "never_create_topics"]

_RETRY_SECONDS = 1.0
_CLOSE_SECONDS = 5.0
_CUT_SECONDS = 1.0

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)

#: The records are fine and so is the broker: another producer may send them.
_PRODUCER_IS_SPENT = (
    InvalidProducerEpoch,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    UnknownProducerId,
)

Place = tuple[str, int]


def never_create_topics() -> None:
    """Stops aiokafka from asking brokers to create the topics that it asks for.

    A client would bring a topic back that is being deleted, with the brokers' default of partitions, before it can be
    created again as it should be.
    """
    aiokafka.client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)


class OrderedSends:
    """Appends over a producer of aiokafka. Belongs to one event loop, whose tasks may share it.

    `new_producer` makes one, not started, idempotent and with acks=all; `partitions` gives a topic's number of
    partitions, and raises TransportError where there is none of that name.
    """

    def __init__(self, new_producer: Callable[[], Any], partitions: Callable[[str], Awaitable[int]]) -> None:
        self.producer: Any = None
        self._given_up: asyncio.Future[None]  # of the producer, once it takes no more batches
        self._closed = False
        self._new_producer = new_producer
        self._count = partitions
        self._counts: dict[str, int] = {}
        self._turns = count()
        self._opening = asyncio.Lock()
        self._alone: defaultdict[Place, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._in_flight: dict[Place, tuple[Any, asyncio.Future[Any]]] = {}

    async def send(self, sends: Sequence[Send]) -> None:
        """Returns when all in-sync replicas have all records; on failure of each partition those before the refused.

        Raises Retry when sending again may work, TransportError when something has to be changed first. Either way
        nothing of this call is under way any more.
        """
        arranged = await self._arranged(sends)
        appends = (self._append(place, records) for place, records in arranged.items())
        results = await asyncio.gather(*appends, return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        if errors:
            raise next((error for error in errors if not isinstance(error, Retry)), errors[0])

    async def flush(self) -> None:
        """Returns when all that was sent is acknowledged or refused."""
        waiting = [future for _, future in self._in_flight.values() if not future.done()]
        if waiting:
            await asyncio.wait(waiting)

    async def close(self, bound_seconds: float) -> None:
        """Gives what was sent so long to be acknowledged; the senders that still wait then get an error."""
        self._closed = True
        if (producer := self._give_up()) is not None:
            await close_producer(producer, bound_seconds)

    def _give_up(self) -> Any:
        """Takes no more batches with the producer, and returns it; those that are under way may finish."""
        producer, self.producer = self.producer, None
        if producer is not None:
            self._given_up.set_result(None)
        return producer

    async def partitions(self, topic: str) -> int:
        """The topic's number of partitions, remembered until a send fails."""
        if topic not in self._counts:
            self._counts[topic] = await self._count(topic)
        return self._counts[topic]

    def known_partitions(self, topic: str) -> int:
        """As above, of a topic that was asked for already."""
        return self._counts[topic]

    async def _arranged(self, sends: Sequence[Send]) -> dict[Place, list[Send]]:
        """The sends by topic and partition, in their order."""
        arranged: dict[Place, list[Send]] = {}
        for send in sends:
            partitions = self._counts.get(send.topic) or await self.partitions(send.topic)
            partition = send.partition
            if partition is None:
                partition = next(self._turns) % partitions if send.key is None else partition_for(send.key, partitions)
            arranged.setdefault((send.topic, partition), []).append(send)
        return arranged

    async def _append(self, place: Place, sends: Sequence[Send]) -> None:
        async with self._alone[place]:
            await self._settled(place, heard=False)  # a sender that was cancelled may have left its batch behind
            for batch in _batches((await self.open()).create_batch, sends):
                await self._settled(place)
                await self._submit(place, batch)
            await self._settled(place)

    async def _submit(self, place: Place, batch: Any) -> None:
        producer = await self.open()
        submitting = asyncio.ensure_future(self._hand_over(producer, place, batch))
        try:
            # aiokafka's waits for the topic's metadata, and for ever once its producer is closed.
            await asyncio.wait({submitting, self._given_up}, return_when=asyncio.FIRST_COMPLETED)
            if not submitting.done():
                raise ProducerClosed
            submitting.result()
        except KafkaError as error:
            raise await self._failed(producer, place, error) from error
        finally:
            submitting.cancel()

    async def _hand_over(self, producer: Any, place: Place, batch: Any) -> None:
        topic, partition = place
        self._in_flight[place] = producer, await producer.send_batch(batch, topic, partition=partition)

    async def _settled(self, place: Place, *, heard: bool = True) -> None:
        """Returns when the partition's batch under way is acknowledged; raises its error if the caller is to hear."""
        if place not in self._in_flight:
            return
        producer, future = self._in_flight[place]
        await asyncio.wait({future})  # a caller that is cancelled leaves the batch to the next one
        del self._in_flight[place]
        try:
            future.result()
        except KafkaError as error:
            failure = await self._failed(producer, place, error)
            if heard:
                raise failure from error

    async def _failed(self, producer: Any, place: Place, error: KafkaError) -> Retry | TransportError:
        """Puts another producer in the place of the one whose batch was refused, and explains."""
        self._counts.clear()
        try:
            await self._replace(producer)
        except KafkaError as away:
            error = away
        return _explained(place, error)

    async def open(self) -> Any:
        """The producer, opened if there is none; raises Retry when the cluster does not answer."""
        if self.producer is not None:
            return self.producer
        async with self._opening:
            if self._closed:
                raise TransportError("The producer is closed: moodwire is shutting down.")
            if self.producer is None:
                try:
                    await self._start()
                except KafkaError as error:
                    raise Retry(f"Kafka takes no producer: {type(error).__name__}: {error}", _RETRY_SECONDS) from error
            return self.producer

    async def _start(self) -> None:
        fresh = self._new_producer()
        try:
            await fresh.start()
        except BaseException:
            await close_producer(fresh, _CUT_SECONDS)
            raise
        self.producer, self._given_up = fresh, asyncio.get_running_loop().create_future()

    async def _replace(self, broken: Any) -> None:
        """Opens a producer in place of `broken`, unless another sender has done so."""
        async with self._opening:
            if self.producer is broken:
                self._give_up()
                try:
                    if not self._closed:
                        await self._start()
                finally:
                    await close_producer(broken, _CLOSE_SECONDS)


def _explained(place: Place, error: KafkaError) -> Retry | TransportError:
    topic, partition = place
    text = f"Kafka refused a batch for {topic}/{partition}: {type(error).__name__}: {error}"
    if isinstance(error, _TOO_LARGE):
        text += f"; set max.message.bytes of {topic} to {needed_bytes(RECORD_BYTES)} or more (a changelog: see doctor)"
    if error.retriable or isinstance(error, _PRODUCER_IS_SPENT):
        return Retry(text, _RETRY_SECONDS)
    return TransportError(text)


def _batches(create: Callable[[], Any], sends: Sequence[Send]) -> Iterator[Any]:
    """The sends as batches; the next one is built while the one before is under way."""
    batch = create()
    for send in sends:
        if not _added(batch, send):
            yield batch
            batch = create()
            _added(batch, send)
    yield batch


def _added(batch: Any, send: Send) -> bool:
    return (
        batch.append(timestamp=send.timestamp_ms, key=send.key, value=send.value, headers=list(send.headers))
        is not None
    )


async def close_producer(producer: Any, bound_seconds: float) -> None:
    """Gives the producer so long to finish what is under way, then cuts it off: its broker is away.

    No sender waits for it afterwards: batches that were not acknowledged fail with `ProducerClosed`.
    """
    stopping = asyncio.ensure_future(producer.stop())
    done, _ = await asyncio.wait({stopping}, timeout=bound_seconds)
    if not done:
        task = internals.sending_task(producer)
        if task is not None:
            task.cancel()
        await producer.client.close()
        stopping.cancel()
        await asyncio.wait({stopping, *([] if task is None else [task])}, timeout=_CUT_SECONDS)
    internals.end_sends(producer, ProducerClosed())
    if stopping.done():
        await asyncio.gather(stopping, return_exceptions=True)
