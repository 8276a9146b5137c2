"""What every broker promises a sender: records of a partition land in the order given, and none behind a refused one.

The topic is compacted, so both brokers refuse a record without a key, and with it the batch in which it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from streams.engine.ports import Send
from streams.errors import Reject, Retry, TransportError
from streams.feeds.publisher import open_publisher
from streams.limits import BATCH_BYTES, RECORD_BYTES
from streams.transport.broker import TopicSpec
from streams.transport.outbox import FaustOutbox
from streams.transport.tables import FaustState
from tests.transport.contract_broker import ContractBroker
from tests.transport.test_contract_stages import Worker

LANES = 3
Sending = Callable[[list[Send]], Awaitable[object]]


@pytest.fixture
def topics(broker: ContractBroker) -> ContractBroker:
    broker.create(TopicSpec("in", 1), TopicSpec("rows", 2, compacted=True))
    return broker


def batches(topics: ContractBroker, lane: int, refused: int | None = None, count: int = 6) -> list[Send]:
    """Records that fill a batch each, numbered; the one of number `refused` has no key."""
    body = bytes(BATCH_BYTES * 3 // 4)
    return [
        Send(topics.name("rows"), None if n == refused else b"%d.%d" % (lane, n), b"%d.%d " % (lane, n) + body, 1)
        for n in range(count)
    ]


def landed(topics: ContractBroker, lane: int) -> list[int]:
    """The numbers of the lane's records, in the order of the log."""
    names = [(record.value or b"").split(b" ")[0].decode().split(".") for record in topics.records("rows", 1)]
    return [int(number) for name, number in names if int(name) == lane]


@asynccontextmanager
async def running(topics: ContractBroker) -> AsyncIterator[Worker]:
    worker = Worker(topics, partitions=1, out=None)
    async with worker.running():
        async with asyncio.timeout(30):
            while not worker.ready:  # noqa: ASYNC110  # Faust tells nobody
                await asyncio.sleep(0.05)
        yield worker


async def refused_then_repeated(topics: ContractBroker, send: Sending, refused: int) -> None:
    with pytest.raises(TransportError):
        await send(batches(topics, 0, refused))
    before = await asyncio.to_thread(landed, topics, 0)
    assert before == list(range(len(before)))
    assert len(before) <= refused
    await send(batches(topics, 0))
    assert (await asyncio.to_thread(landed, topics, 0))[len(before) :] == list(range(6))


@pytest.mark.parametrize("refused", [0, 2])
async def test_nothing_lands_behind_a_refused_batch_of_an_outbox(topics: ContractBroker, refused: int) -> None:
    async with running(topics) as worker:
        await refused_then_repeated(topics, FaustOutbox(worker.app).send, refused)


@pytest.mark.parametrize("refused", [0, 2])
async def test_nothing_lands_behind_a_refused_batch_of_a_publisher(topics: ContractBroker, refused: int) -> None:
    publisher = open_publisher(topics.url, progress_topic=topics.name("progress"))
    try:
        await refused_then_repeated(topics, lambda sends: asyncio.to_thread(publisher.publish, sends), refused)
    finally:
        await asyncio.to_thread(publisher.close)


@pytest.mark.parametrize("refused", [0, 2])
async def test_nothing_lands_behind_a_refused_batch_of_a_command(topics: ContractBroker, refused: int) -> None:
    await refused_then_repeated(topics, lambda sends: asyncio.to_thread(topics.broker.append, sends), refused)


async def test_lanes_that_share_a_partition_keep_each_its_order(topics: ContractBroker) -> None:
    """One lane's batch is refused in the middle; it repeats its sends, as a stage does, while the others go on."""
    async with running(topics) as worker:
        outbox = FaustOutbox(worker.app)

        async def lane(number: int) -> None:
            refused: int | None = number + 1 if number < LANES - 1 else None
            async with asyncio.timeout(60):
                while True:
                    try:
                        await outbox.send(batches(topics, number, refused))
                    except TransportError:
                        refused = None
                    except Retry:  # another lane's refusal closed the producer
                        await asyncio.sleep(0)
                    else:
                        return

        await asyncio.gather(*(lane(number) for number in range(LANES)))
    for number in range(LANES):
        found = await asyncio.to_thread(landed, topics, number)
        assert found[-6:] == list(range(6))
        assert all(later <= earlier + 1 for earlier, later in pairwise(found)), "a batch was passed by a later one"
        assert not any(n > number + 1 for n in found[:-6]), "something landed behind the refused batch"


async def test_a_state_refuses_rows_as_a_whole_and_keeps_the_old_ones(topics: ContractBroker) -> None:
    worker = Worker(topics, partitions=1, out=None)
    state = FaustState(worker.app, "more", partitions=1)
    async with worker.running():
        async with asyncio.timeout(30):
            while not worker.ready:  # noqa: ASYNC110  # Faust tells nobody
                await asyncio.sleep(0.05)
        await state.put(0, {"a": b"1", "p": b"1"})
        with pytest.raises(TransportError):
            await state.put(0, {"a": b"2", "huge": bytes(65 << 20), "p": b"2"})
        assert dict(state.items(0)) == {"a": b"1", "p": b"1"}
        stored = await asyncio.to_thread(lambda: list(topics.broker.read(state.changelog_topic, 0)))
        assert [record.value for record in stored] == [b"1", b"1"]


async def test_a_record_above_the_limit_is_refused_before_its_neighbours_are_sent(topics: ContractBroker) -> None:
    sends = [Send(topics.name("rows"), b"a", b"0.0 ", 1), Send(topics.name("rows"), b"b", bytes(RECORD_BYTES), 1)]
    with pytest.raises(Reject, match="too_large"):
        await asyncio.to_thread(topics.broker.append, sends)
    publisher = open_publisher(topics.url, progress_topic=topics.name("progress"))
    with pytest.raises(Reject, match="too_large"):
        await asyncio.to_thread(publisher.publish, sends, {"note": "1"})
    assert await asyncio.to_thread(publisher.progress, "note") is None
    await asyncio.to_thread(publisher.close)
    assert await asyncio.to_thread(landed, topics, 0) == []
