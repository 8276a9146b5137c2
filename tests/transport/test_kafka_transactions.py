"""Producers with transactions: their markers have offsets and are no records, and what they take back never was."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.transport.broker import TopicSpec, open_broker
from streams.transport.kafka.options import bootstrap_of
from tests.transport.contract_broker import ContractBroker
from tests.transport.test_contract_stages import Worker, until

pytestmark = pytest.mark.integration

IDLE_SECONDS = 0.01


@pytest.fixture
def topics(kafka_url: str, tmp_path: Path) -> Iterator[ContractBroker]:
    with open_broker(kafka_url) as opened:
        broker = ContractBroker(kafka_url, tmp_path, opened, prefix=f"{uuid.uuid4().hex[:8]}.")
        broker.create(TopicSpec("in", 1), TopicSpec("out", 1))
        yield broker


@contextmanager
def transactional(broker: ContractBroker) -> Iterator[KafkaProducer]:
    name = f"tx-{uuid.uuid4().hex[:8]}"
    producer = KafkaProducer(bootstrap_servers=bootstrap_of(broker.url), transactional_id=name)
    try:
        producer.init_transactions()
        yield producer
    finally:
        producer.close(5)


def sent(producer: KafkaProducer, broker: ContractBroker, *values: bytes) -> None:
    for value in values:
        producer.send(broker.name("in"), value, partition=0)
    producer.flush()


def one_stage(broker: ContractBroker) -> Worker:
    return Worker(broker, out=None, idle_seconds=IDLE_SECONDS, partitions=1)


def values(worker: Worker) -> list[bytes | None]:
    return [record.value for run in worker.stage.runs for record in run.records]


async def test_a_partition_that_ends_in_a_marker_is_read_to_its_end(topics: ContractBroker) -> None:
    worker = one_stage(topics)
    with transactional(topics) as producer:
        producer.begin_transaction()
        sent(producer, topics, b"1", b"2")
        producer.commit_transaction()
        async with worker.running():
            await until(worker.stage.ticked.is_set)
            await worker.drained()
            assert values(worker) == [b"1", b"2"]
            worker.stage.ticked.clear()
            producer.begin_transaction()
            sent(producer, topics, b"3")
            producer.commit_transaction()
            await until(lambda: len(values(worker)) == 3)
            worker.stage.ticked.clear()
            await until(worker.stage.ticked.is_set)
            await worker.drained()
    assert values(worker) == [b"1", b"2", b"3"]


async def test_what_a_producer_takes_back_is_not_read(topics: ContractBroker) -> None:
    worker = one_stage(topics)
    with transactional(topics) as producer:
        producer.begin_transaction()
        sent(producer, topics, b"never")
        producer.abort_transaction()
        producer.begin_transaction()
        sent(producer, topics, b"once")
        producer.commit_transaction()
        producer.begin_transaction()
        sent(producer, topics, b"never either")
        producer.abort_transaction()
    async with worker.running():
        await worker.drained()
        await until(worker.stage.ticked.is_set)
    assert values(worker) == [b"once"]


async def test_a_partition_of_offsets_without_a_record_is_at_its_end(topics: ContractBroker) -> None:
    worker = one_stage(topics)
    with transactional(topics) as producer:
        producer.begin_transaction()
        sent(producer, topics, b"never")
        producer.abort_transaction()
    async with worker.running():
        await until(worker.stage.ticked.is_set)
        await worker.drained()
    assert values(worker) == []


async def test_an_open_transaction_holds_the_end_back(topics: ContractBroker) -> None:
    worker = one_stage(topics)
    with transactional(topics) as producer:
        producer.begin_transaction()
        sent(producer, topics, b"1")
        async with worker.running():
            await until(lambda: worker.ready and worker.app.consumer.known_end(next(iter(worker.app.consumer.known()))))
            assert worker.stage.ticks == []
            producer.commit_transaction()
            await until(lambda: values(worker) == [b"1"])
            await until(worker.stage.ticked.is_set)
            await worker.drained()
