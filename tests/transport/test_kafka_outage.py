"""A broker that is killed and comes back: workers wait, go on, and neither lose nor repeat in effect."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.transport.broker import TopicSpec, open_broker
from tests.integration.kafka_server import KafkaServer
from tests.integration.required import required_kafka
from tests.transport.contract_broker import ContractBroker
from tests.transport.test_contract_stages import PARTITIONS, Worker, numbered, until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.usefixtures("collected"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

AWAY_SECONDS = 8


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KafkaServer]:
    """A broker of its own, for it is killed."""
    with required_kafka(tmp_path / "kafka") as server:
        yield server


@pytest.fixture
def topics(server: KafkaServer, tmp_path: Path) -> Iterator[ContractBroker]:
    url = f"kafka://{server.bootstrap}"
    with open_broker(url) as broker:
        topics = ContractBroker(url, tmp_path, broker, "out.")
        topics.create(TopicSpec("in", PARTITIONS), TopicSpec("out", 1))
        yield topics


async def test_a_worker_outlives_its_broker(server: KafkaServer, topics: ContractBroker) -> None:
    await asyncio.to_thread(topics.publish, numbered(2_000))
    worker = Worker(topics)
    async with worker.running():
        await until(lambda: sum(map(len, worker.stage.offsets.values())) > 200)
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(AWAY_SECONDS)
        assert not worker.app.crashed
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(topics.publish, numbered(1_000, 2_000))
        async with asyncio.timeout(60):
            while await asyncio.to_thread(topics.lag, worker.group, worker.source):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        expected = Counter((send.key or b"").decode() for send in numbered(3_000))
        assert worker.stage.counts(PARTITIONS) == expected
    copied = await asyncio.to_thread(topics.records, "out")
    assert {int(record.value or b"") for record in copied} == set(range(3_000))


async def test_a_worker_stops_in_time_while_its_broker_is_away(server: KafkaServer, topics: ContractBroker) -> None:
    await asyncio.to_thread(topics.publish, numbered(2_000))
    worker = Worker(topics)
    async with worker.running():
        await until(lambda: sum(map(len, worker.stage.offsets.values())) > 200)
        await asyncio.to_thread(server.kill)
        loop = asyncio.get_running_loop()
        began = loop.time()
    assert loop.time() - began < 15
