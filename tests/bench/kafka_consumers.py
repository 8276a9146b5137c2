"""Three ways to read one Kafka topic on one core: aiokafka alone, our runs, and Faust's own `noack_take`.

Same records, same JSON decoder, same most records at a time, in turn, in one process that is pinned to one core
while the broker has the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import aiokafka
import msgspec
from faust.transport.drivers.aiokafka import Transport as StockTransport

from streams.engine.runs import Run
from streams.transport.broker import TopicSpec, open_broker
from streams.transport.faust_app import StageApp, make_app, run_stage
from streams.transport.kafka.options import KafkaOptions
from streams.transport.runs import RunLimits
from streams.transport.stages import run_stages
from tests.integration.kafka_server import KafkaServer, running_kafka

__all__ = ["Decoding", "measure_kafka"]

RECORDS = 600_000
STOCK_RECORDS = 30_000  # of the same topic; the slow path needs no more to be measured
PARTITIONS = 4
RUN = 500
TURNS = 5


class Pace(NamedTuple):
    """Records a second, and a second of this process's processor time: the latter is the same on a busy machine."""

    wall: float
    processor: float


class Decoding:
    """A stage that decodes every record and does nothing else; times itself from the first record to the last."""

    def __init__(self, enough: int) -> None:
        self.seen = 0
        self.enough = enough
        self.began = self.began_cpu = 0.0
        self.ended = self.ended_cpu = 0.0
        self.done = asyncio.Event()

    @property
    def pace(self) -> Pace:
        return Pace(self.seen / (self.ended - self.began), self.seen / (self.ended_cpu - self.began_cpu))

    def count(self, values: list[bytes | None]) -> None:
        if not self.began:
            self.began, self.began_cpu = time.perf_counter(), time.process_time()
        for value in values:
            msgspec.json.decode(value or b"null")
        self.seen += len(values)
        if self.seen >= self.enough and not self.ended:
            self.ended, self.ended_cpu = time.perf_counter(), time.process_time()
            self.done.set()

    async def handle(self, run: Run) -> None:
        self.count([record.value for record in run.records])

    async def idle(self, partition: int, now_ms: int) -> None:
        """Nothing happens between runs."""

    def forget(self, partition: int) -> None:
        """Nothing is kept."""


def measure_kafka() -> dict[str, float]:
    """Records per second of the three, what runs gain and what they leave of aiokafka's own; medians of the turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_kafka(folder) as server, pinned(server):
            return asyncio.run(_measure(f"kafka://{server.bootstrap}", folder))


@contextlib.contextmanager
def pinned(server: KafkaServer) -> Iterator[None]:
    """This process on one core and the broker on the others, where there are others."""
    cores = os.sched_getaffinity(0)
    mine, rest = {min(cores)}, cores - {min(cores)}
    if rest:
        os.sched_setaffinity(server.process.pid, rest)
        for thread in Path(f"/proc/{server.process.pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), rest)
    os.sched_setaffinity(0, mine)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


async def _measure(url: str, folder: Path) -> dict[str, float]:
    topic = f"bench.{uuid.uuid4().hex[:8]}"
    with open_broker(url) as broker:
        broker.ensure_topics([TopicSpec(topic, PARTITIONS)])
    appends = await _fill(url, topic)
    bare: list[Pace] = []
    runs: list[Pace] = []
    stock: list[Pace] = []
    for turn in range(TURNS):
        bare.append(await _bare(url, topic))
        runs.append(await _runs(url, topic, folder, turn))
        stock.append(await _stock(url, topic, folder, turn))
    return {
        "kafka_appends_per_s": appends,
        **_figures("getmany", bare),
        **_figures("runs", runs),
        **_figures("noack_take", stock),
        **_ratios("runs_over_noack_take", runs, stock),
        **_ratios("runs_over_getmany", runs, bare),
    }


def _figures(name: str, paces: Sequence[Pace]) -> dict[str, float]:
    wall, processor = (median(figures) for figures in zip(*paces, strict=True))
    return {f"kafka_{name}_records_per_s": wall, f"kafka_{name}_records_per_cpu_s": processor}


def _ratios(name: str, ours: Sequence[Pace], theirs: Sequence[Pace]) -> dict[str, float]:
    """Of the turns' own ratios: what else the machine does changes from turn to turn, less so within one."""
    turns = list(zip(ours, theirs, strict=True))
    wall = median(a.wall / b.wall for a, b in turns)
    processor = median(a.processor / b.processor for a, b in turns)
    return {f"kafka_{name}": wall, f"kafka_{name}_by_cpu": processor}


async def _fill(url: str, topic: str) -> float:
    """Appends all records, in batches; returns how many a second."""
    record = {"id": "0" * 32, "title": "t" * 80, "text": "x" * 120, "source": "bench", "seen_ms": 1, "n": 0}
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=url.removeprefix("kafka://"), acks="all", enable_idempotence=True, max_batch_size=400_000
    )
    await producer.start()
    began = time.perf_counter()
    for start in range(0, RECORDS, 1_000):
        batch = producer.create_batch()
        for n in range(start, start + 1_000):
            value = msgspec.json.encode(record | {"n": n}).ljust(360)
            assert batch.append(key=b"%d" % n, value=value, timestamp=None) is not None
        await (await producer.send_batch(batch, topic, partition=start // 1_000 % PARTITIONS))
    seconds = time.perf_counter() - began
    await producer.stop()
    return RECORDS / seconds


async def _bare(url: str, topic: str) -> Pace:
    counter = Decoding(RECORDS)
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=url.removeprefix("kafka://"), enable_auto_commit=False)
    await consumer.start()
    consumer.assign([aiokafka.TopicPartition(topic, p) for p in range(PARTITIONS)])
    await consumer.seek_to_beginning()
    while not counter.done.is_set():
        for records in (await consumer.getmany(timeout_ms=1_000, max_records=RUN)).values():
            counter.count([record.value for record in records])
    await consumer.stop()
    return counter.pace


async def _runs(url: str, topic: str, folder: Path, turn: int) -> Pace:
    stage = Decoding(RECORDS)
    group = f"{topic}.runs{turn}"
    app = make_app("bench", broker_url=url, group=group, data_dir=folder, limits=RunLimits(records=RUN))
    job = run_stage(app, topic, stage)
    stop = asyncio.Event()
    running = asyncio.create_task(run_stages([job], until=stop))
    await stage.done.wait()
    stop.set()
    await running
    return stage.pace


async def _stock(url: str, topic: str, folder: Path, turn: int) -> Pace:
    counter = Decoding(STOCK_RECORDS)
    app: StageApp = make_app(
        "bench", broker_url=url, group=f"{topic}.stock{turn}", data_dir=folder, kafka=KafkaOptions()
    )
    app.conf.stream_buffer_maxsize = 2 * RECORDS  # or Faust sleeps a second whenever its buffers are full
    app.transport = StockTransport(app.conf.broker_consumer, app)
    channel = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def feed(stream: Any) -> None:
        async for events in stream.noack_take(RUN, within=0.05):
            counter.count([event.value for event in events])
            for event in events:
                await stream.ack(event)

    app.agent(channel, name=f"{topic}.stock{turn}.feed")(feed)
    running = asyncio.create_task(app.start())
    await counter.done.wait()
    await running
    await app.stop()
    return counter.pace


def report(show: Callable[[str], None] = print) -> None:
    for name, figure in measure_kafka().items():
        show(f"{name:34} {figure:12,.2f}")


if __name__ == "__main__":
    report()
