"""Sends to Kafka over producers that refuse, are fenced or whose broker is away: in order, and none waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    ProducerClosed,
    ProducerFenced,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.engine.ports import Send
from streams.errors import Retry, TransportError
from streams.transport.kafka.ordered import OrderedSends

TOPIC = "t"
REFUSALS = (MessageSizeTooLargeError, NotEnoughReplicasError, ProducerFenced)


@dataclass
class Batch:
    """Holds two records."""

    sends: list[Any] = field(default_factory=list)

    def append(self, *, timestamp: int | None, key: bytes, value: bytes, headers: Sequence[Any]) -> object | None:
        if len(self.sends) == 2:
            return None
        self.sends.append((key, value))
        return self


@dataclass
class Cluster:
    """Logs by partition; `refuse` says which batch gets which error, and None that it lands."""

    refuse: Callable[[int, Batch], KafkaError | None] = lambda _, __: None
    logs: dict[int, list[Any]] = field(default_factory=dict)
    made: list[Producer] = field(default_factory=list)
    away: bool = False
    overlapped: bool = False
    unknown: set[int] = field(default_factory=set)  # partitions of which the first producer learns nothing

    def producer(self) -> Producer:
        self.made.append(Producer(self))
        return self.made[-1]

    async def partitions(self, topic: str) -> int:
        return 2


class Producer:
    """aiokafka's, as far as it is used: sends in a later turn of the loop; where a batch was refused it goes on."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.under_way: dict[int, asyncio.Future[None]] = {}
        self.client = self._message_accumulator = self
        self._sender = self
        self.sender_task = None
        self.closed = False

    async def start(self) -> None:
        if self.cluster.away and len(self.cluster.made) > 1:
            raise KafkaConnectionError("no broker")

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        if self.closed:
            raise ProducerClosed
        if partition in self.cluster.unknown and self is self.cluster.made[0]:
            await asyncio.Event().wait()  # as aiokafka does once its client is closed
        before = self.under_way.get(partition)
        self.cluster.overlapped |= before is not None and not before.done()
        answer = self.under_way[partition] = asyncio.get_running_loop().create_future()
        if not self.cluster.away:
            asyncio.get_running_loop().call_soon(self._answer, batch, partition, answer)
        return answer

    def _answer(self, batch: Batch, partition: int, answer: asyncio.Future[None]) -> None:
        error = self.cluster.refuse(partition, batch)
        if answer.done():
            return
        if error is None:
            self.cluster.logs.setdefault(partition, []).extend(batch.sends)
            answer.set_result(None)
        else:
            answer.set_exception(error)

    async def stop(self) -> None:
        self.closed = True
        if waiting := [future for future in self.under_way.values() if not future.done()]:
            await asyncio.wait(waiting)

    async def close(self) -> None:
        """The client's."""

    def fail_all(self, error: Exception) -> None:
        for future in self.under_way.values():
            if not future.done():
                future.set_exception(error)


def numbered(lane: int, count: int = 9, partitions: int = 2) -> list[Send]:
    return [Send(TOPIC, b"%d" % lane, b"%d" % n, n % partitions) for n in range(count)]


def values(cluster: Cluster, partition: int, lane: int) -> list[int]:
    return [int(value) for key, value in cluster.logs.get(partition, []) if key == b"%d" % lane]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8), st.sampled_from(REFUSALS)), max_size=6),
    st.integers(1, 4),
)
def test_lanes_repeat_what_is_refused_and_every_log_keeps_each_lanes_order(
    refusals: list[tuple[int, int, type[KafkaError]]], lanes: int
) -> None:
    left = list(refusals)

    def refuse(partition: int, batch: Batch) -> KafkaError | None:
        for at, (place, number, kind) in enumerate(left):
            if place == partition and any(int(value) == number for _, value in batch.sends):
                del left[at]
                return kind()
        return None

    cluster = Cluster(refuse)

    async def lane(sends: OrderedSends, number: int) -> None:
        while True:
            try:
                return await sends.send(numbered(number))
            except (Retry, TransportError):
                await asyncio.sleep(0)

    async def run() -> None:
        sends = OrderedSends(cluster.producer, cluster.partitions)
        await asyncio.gather(*(lane(sends, number) for number in range(lanes)))
        await sends.close(1.0)

    asyncio.run(run())
    assert not cluster.overlapped
    for partition in range(2):
        wanted = list(range(partition, 9, 2))
        for number in range(lanes):
            found = values(cluster, partition, number)
            assert found[-len(wanted) :] == wanted
            assert all(later <= earlier + 2 for earlier, later in pairwise(found))


@pytest.mark.parametrize(
    ("kind", "raised"),
    [(MessageSizeTooLargeError, TransportError), (NotEnoughReplicasError, Retry), (ProducerFenced, Retry)],
)
async def test_a_refusal_says_which_topic_and_opens_another_producer(
    kind: type[KafkaError], raised: type[Exception]
) -> None:
    cluster = Cluster(lambda _, batch: kind() if batch.sends[0][1] == b"4" else None)
    sends = OrderedSends(cluster.producer, cluster.partitions)
    with pytest.raises(raised, match=f"{TOPIC}/0.*{kind.__name__}"):
        await sends.send(numbered(0, partitions=1))
    assert values(cluster, 0, 0) == [0, 1, 2, 3]
    assert len(cluster.made) == 2
    assert cluster.made[0].closed
    cluster.refuse = lambda _, __: None
    await sends.send(numbered(0, partitions=1))
    assert values(cluster, 0, 0) == [0, 1, 2, 3, *range(9)]
    await sends.close(1.0)


async def test_a_lane_whose_producer_is_closed_under_it_gets_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its broker does not answer while another lane's batch is refused: it must not wait for ever."""
    monkeypatch.setattr("streams.transport.kafka.ordered._CLOSE_SECONDS", 0.05)
    monkeypatch.setattr("streams.transport.kafka.ordered._CUT_SECONDS", 0.05)
    cluster = Cluster()
    sends = OrderedSends(cluster.producer, cluster.partitions)
    await sends.open()
    cluster.away = True
    waiting = asyncio.ensure_future(sends.send([Send(TOPIC, b"0", b"0", 0)]))
    while not cluster.made[0].under_way:  # noqa: ASYNC110  # until the batch is under way
        await asyncio.sleep(0)
    cluster.away, cluster.refuse = False, lambda _, __: MessageSizeTooLargeError()
    with pytest.raises(TransportError):
        await sends.send([Send(TOPIC, b"1", b"1", 1)])
    async with asyncio.timeout(10):
        with pytest.raises(Retry, match="ProducerClosed"):
            await waiting
    await sends.close(0.1)


async def test_a_lane_that_waits_for_metadata_of_a_closed_producer_goes_on_with_the_next() -> None:
    cluster = Cluster(lambda partition, _: MessageSizeTooLargeError() if partition == 1 else None, unknown={0})
    sends = OrderedSends(cluster.producer, cluster.partitions)
    await sends.open()
    waiting = asyncio.ensure_future(sends.send([Send(TOPIC, b"0", b"0", 0)]))
    await asyncio.sleep(0)
    with pytest.raises(TransportError):
        await sends.send([Send(TOPIC, b"1", b"1", 1)])
    async with asyncio.timeout(10):
        with pytest.raises(Retry, match="ProducerClosed"):
            await waiting
        await sends.send([Send(TOPIC, b"0", b"0", 0)])
    assert values(cluster, 0, 0) == [0]
    await sends.close(1.0)


async def test_a_cancelled_sender_leaves_its_batch_to_the_next_one() -> None:
    cluster = Cluster(lambda _, batch: MessageSizeTooLargeError() if batch.sends[0][0] == b"0" else None)
    sends = OrderedSends(cluster.producer, cluster.partitions)
    first = asyncio.ensure_future(sends.send([Send(TOPIC, b"0", b"0", 0)]))
    while not (cluster.made and cluster.made[0].under_way):  # noqa: ASYNC110  # until the batch is under way
        await asyncio.sleep(0)
    first.cancel()
    await sends.send([Send(TOPIC, b"1", b"1", 0)])
    assert not cluster.overlapped
    assert len(cluster.made) == 2, "the refusal that nobody heard left a hole in the numbering"
    assert values(cluster, 0, 1) == [1]
    await asyncio.gather(first, return_exceptions=True)
    await sends.close(1.0)


async def test_while_no_producer_can_be_opened_a_send_is_to_be_tried_again() -> None:
    cluster = Cluster(lambda _, __: ProducerFenced())
    sends = OrderedSends(cluster.producer, cluster.partitions)
    await sends.open()
    with pytest.raises(Retry):
        await sends.send([Send(TOPIC, b"0", b"0", 0)])
    cluster.away = True
    await sends.close(0.1)
    with pytest.raises(TransportError, match="closed"):
        await sends.send([Send(TOPIC, b"0", b"0", 0)])
