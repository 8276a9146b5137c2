"""A real broker refuses batches of a stage: nothing lands behind them, and counts are exact once it takes them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from streams.engine.ports import Send
from streams.errors import TransportError
from streams.limits import BATCH_BYTES
from streams.transport.broker import TopicSpec, open_broker
from streams.transport.faust_app import ensure_topics
from streams.transport.kafka.client import KafkaBroker
from streams.transport.runs import RunLimits
from streams.transport.stages import run_stages
from tests.transport.contract_broker import ContractBroker
from tests.transport.test_contract_stages import Worker, until

pytestmark = pytest.mark.integration

RECORDS = 60


@pytest.fixture
def topics(kafka_url: str, tmp_path: Path, unique_topic: object) -> object:
    assert callable(unique_topic)
    with open_broker(kafka_url) as broker:
        topics = ContractBroker(kafka_url, tmp_path, broker, f"{unique_topic('refusals')}.")
        topics.create(TopicSpec("in", 1), TopicSpec("out", 1))
        yield topics


def configure(topics: ContractBroker, topic: str, **settings: object) -> None:
    """Changes settings of a topic; returns when the broker goes by them."""
    wanted = {name.replace("_", "."): str(value) for name, value in settings.items()}
    assert isinstance(topics.broker, KafkaBroker)
    cluster = topics.broker.cluster
    cluster.configure(topic, wanted)
    deadline = time.monotonic() + 20
    while not wanted.items() <= cluster.configs([topic])[topic].items():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def copied(topics: ContractBroker) -> list[int]:
    return [int((record.value or b"").split(b" ")[0]) for record in topics.records("out")]


async def test_a_stage_waits_at_a_refused_batch_and_is_exact_afterwards(
    topics: ContractBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """The first batch of a run is too large, the last is not."""
    bodies = [bytes(BATCH_BYTES // 4 if n % 20 < 17 else 9) for n in range(RECORDS)]
    sends = [Send("in", b"key%d" % (n % 3), b"%d " % n + body, 0) for n, body in enumerate(bodies)]
    await asyncio.to_thread(topics.publish, sends)
    await asyncio.to_thread(configure, topics, topics.name("out"), max_message_bytes=BATCH_BYTES // 2)
    worker = Worker(topics, partitions=1, limits=RunLimits(records=20, size_bytes=64 << 20))
    async with worker.running():
        await until(lambda: "max.message.bytes" in caplog.text)
        assert await asyncio.to_thread(copied, topics) == []
        assert worker.stage.counts(1) == {}
        await asyncio.to_thread(configure, topics, topics.name("out"), max_message_bytes=4 << 20)
        async with asyncio.timeout(90):
            while await asyncio.to_thread(topics.lag, worker.group, worker.source):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert worker.stage.counts(1) == Counter(f"key{n % 3}" for n in range(RECORDS))
    assert await asyncio.to_thread(copied, topics) == list(range(RECORDS))


async def test_rows_behind_a_refused_batch_do_not_land(topics: ContractBroker) -> None:
    worker = Worker(topics, partitions=1, out=None)
    state = worker.stage.state
    async with worker.running():
        await until(lambda: worker.ready)
        changelog = state.changelog_topic  # type: ignore[attr-defined]  # FaustState's
        await asyncio.to_thread(configure, topics, changelog, max_message_bytes=300_000)
        rows = {"a": bytes(290_000), "b": bytes(400_000), "p": b"1"}
        with pytest.raises(TransportError, match=r"max\.message\.bytes"):
            await state.put(0, rows)
        assert dict(state.items(0)) == {}
        assert await asyncio.to_thread(keys, topics, changelog) == [b"0|a"]
        await asyncio.to_thread(configure, topics, changelog, max_message_bytes=64 << 20)
        await state.put(0, rows)
        assert await asyncio.to_thread(keys, topics, changelog) == [b"0|a", b"0|a", b"0|b", b"0|p"]


def keys(topics: ContractBroker, topic: str) -> list[bytes | None]:
    return [record.key for record in topics.broker.read(topic, 0)]


async def test_a_changelog_that_takes_less_than_a_row_is_named_at_the_start(topics: ContractBroker) -> None:
    first = Worker(topics, partitions=1)
    async with first.running():
        await until(lambda: first.ready)
    changelog = first.stage.state.changelog_topic  # type: ignore[attr-defined]  # FaustState's
    await asyncio.to_thread(configure, topics, changelog, max_message_bytes=500_000)
    second = Worker(topics, partitions=1)
    with pytest.raises(TransportError, match=r"changelog takes batches of 500,000 bytes.*max.message.bytes="):
        await run_stages([second.job])


async def test_a_topic_that_takes_less_than_a_record_is_named_at_the_start(topics: ContractBroker) -> None:
    spec = TopicSpec(topics.name("in"), 1)
    await asyncio.to_thread(configure, topics, spec.name, max_message_bytes=900_000)
    with pytest.raises(TransportError, match=r"in takes batches of 900,000 bytes.*max.message.bytes="):
        await asyncio.to_thread(ensure_topics, topics.url, [spec])
