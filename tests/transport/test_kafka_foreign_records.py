"""Records as other programs write them: no header, key or compression that Kafka takes stops a stage or a command."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.engine.runs import Record, Run
from streams.transport.broker import TopicSpec, open_broker
from streams.transport.faust_app import make_app, run_stage
from streams.transport.kafka.options import bootstrap_of
from streams.transport.stages import run_stages
from tests.transport.contract_broker import ContractBroker
from tests.transport.raw_names import RawName

pytestmark = pytest.mark.integration


Headers = Sequence[tuple[str, bytes]]


@pytest.fixture
def topics(kafka_url: str, tmp_path: Path) -> Iterator[ContractBroker]:
    with open_broker(kafka_url) as opened:
        broker = ContractBroker(kafka_url, tmp_path, opened, prefix=f"{uuid.uuid4().hex[:8]}.")
        broker.create(TopicSpec("in", 1))
        yield broker


def send(broker: ContractBroker, *headers: Headers, key: bytes | None = b"k", compression: str | None = None) -> None:
    """A record of each set of headers, all in one batch, between two that have none."""
    producer = KafkaProducer(
        bootstrap_servers=bootstrap_of(broker.url), linger_ms=100, batch_size=4 << 20, compression_type=compression
    )
    for one in ((), *headers, ()):
        producer.send(broker.name("in"), b"value", key, headers=list(one), partition=0)
    producer.flush()
    producer.close()


class Reading:
    """A stage that keeps what it reads, and is done at its last record."""

    def __init__(self, count: int) -> None:
        self.records: list[Record] = []
        self.done = asyncio.Event()
        self._count = count

    async def handle(self, run: Run) -> None:
        self.records += run.records
        if len(self.records) >= self._count:
            self.done.set()

    async def idle(self, partition: int, now_ms: int) -> None: ...

    def forget(self, partition: int) -> None: ...


async def read_by_a_stage(broker: ContractBroker, count: int) -> list[Record]:
    stage = Reading(count)
    app = make_app("reading", broker_url=broker.url, group=broker.name("reading"), data_dir=broker.folder)
    async with asyncio.timeout(20):
        await run_stages([run_stage(app, broker.name("in"), stage)], until=stage.done)
    return stage.records


HEADERS: dict[str, tuple[Headers, Headers]] = {
    "name that is no UTF-8": (
        [(RawName(b"caf\xe9"), b"1"), ("plain", b"2"), (RawName(b"\xff\xfe"), b"")],
        [("caf\\xe9", b"1"), ("plain", b"2"), ("\\xff\\xfe", b"")],
    ),
    "name of half a character": ([(RawName(b"\xf0\x9f"), b"1")], [("\\xf0\\x9f", b"1")]),
    "encoded surrogate": ([(RawName(b"\xed\xa0\x80"), b"1")], [("\\xed\\xa0\\x80", b"1")]),
    "empty name": ([("", b"1")], [("", b"1")]),
    "name with a NUL": ([("a\0b", b"1")], [("a\0b", b"1")]),
    "value of any bytes": ([("moodwire-end", b"\xff\x00")], [("moodwire-end", b"\xff\x00")]),
    "names that repeat": ([("a", b"1"), ("a", b"2"), ("a", b"1")], [("a", b"1"), ("a", b"2"), ("a", b"1")]),
    "very many": ([(f"h{n}", b"") for n in range(50_000)], [(f"h{n}", b"") for n in range(50_000)]),
    "long name": ([("n" * 300_000, b"v")], [("n" * 300_000, b"v")]),
}


@pytest.mark.parametrize("compression", [None, "gzip"])
async def test_any_header_is_read(topics: ContractBroker, compression: str | None) -> None:
    send(topics, *(given for given, _ in HEADERS.values()), compression=compression)
    expected = [(), *(tuple(read) for _, read in HEADERS.values()), ()]
    for found in (await read_by_a_stage(topics, len(expected)), topics.records("in")):
        assert [record.headers for record in found] == expected
        assert [record.offset for record in found] == list(range(len(expected)))


@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe\x00", b"k" * 300_000], ids=["none", "empty", "binary", "long"])
async def test_any_key_is_read(topics: ContractBroker, key: bytes | None) -> None:
    send(topics, [(RawName(b"\xff"), b"1")], key=key)
    for found in (await read_by_a_stage(topics, 3), topics.records("in")):
        assert [record.key for record in found] == [key] * 3


@pytest.mark.parametrize("compression", ["snappy", "lz4", "zstd"])
async def test_any_compression_is_read(topics: ContractBroker, compression: str) -> None:
    send(topics, [(RawName(b"\xff"), b"1")], compression=compression)
    for found in (await read_by_a_stage(topics, 3), topics.records("in")):
        assert [record.headers for record in found] == [(), (("\\xff", b"1"),), ()]
