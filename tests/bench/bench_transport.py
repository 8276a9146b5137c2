"""How fast the embedded transport hands records to an agent: as runs, and one by one as Faust does it.

Both read the same records of one file with the same JSON decoder, each as a consumer group of its own, in turn.
`python tests/bench/bench_transport.py` prints the figures; `measure()` returns them.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streams.engine.ports import Send
from streams.transport.broker import TopicSpec, open_broker
from streams.transport.faust_app import StageApp, ensure_topics, make_app, run_stage
from streams.transport.sqlite.consumer import LogConsumer
from streams.transport.sqlite.transport import Transport
from streams.transport.stages import run_stages
from streams.transport.tables import FaustState
from tests.bench.kafka_consumers import Decoding, measure_kafka
from tests.integration.kafka_server import KafkaUnavailable

RECORDS = 100_000
STOCK_RECORDS = 25_000  # of the same topic; the slow path needs no more to be measured
PARTITIONS = 4
TOPIC = "bench.news"


class StockTransport(Transport):
    """The same log and producer, read record by record through Faust's own consumer."""

    Consumer = LogConsumer


def measure() -> dict[str, float]:
    """Records per second of both ways and their ratio, appends per second, microseconds per row written.

    Then the same on Kafka, beside aiokafka alone, where a Kafka can be had.
    """
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(_measure(Path(folder).resolve()))
    try:
        return figures | measure_kafka()
    except KafkaUnavailable as reason:
        print(f"NO KAFKA, its transport is not measured: {reason}", file=sys.stderr)
        return figures


async def _measure(folder: Path) -> dict[str, float]:
    url = f"sqlite://{folder}/broker.db"
    ensure_topics(url, [TopicSpec(TOPIC, PARTITIONS), TopicSpec("bench.tick", 1)])
    figures = {"appends_per_s": _fill(url)}
    runs = [await _runs(url, folder, turn) for turn in range(2)]
    stock = [await _stock(url, folder, turn) for turn in range(2)]
    figures["runs_records_per_s"] = max(runs)
    figures["noack_take_records_per_s"] = max(stock)
    figures["ratio"] = max(runs) / max(stock)
    figures["row_us"] = await _rows(url, folder)
    return figures


def _fill(url: str) -> float:
    """Appends all records; returns how many a second, fsyncs included."""
    record = {"id": "0" * 32, "title": "t" * 80, "text": "x" * 120, "source": "bench", "seen_ms": 1, "n": 0}
    sends = [
        Send(TOPIC, b"%d" % n, json.dumps(record | {"n": n}).encode().ljust(360), n % PARTITIONS)
        for n in range(RECORDS)
    ]
    with open_broker(url) as broker:
        began = time.perf_counter()
        for at in range(0, RECORDS, 1000):
            broker.append(sends[at : at + 1000])
        return RECORDS / (time.perf_counter() - began)


async def _runs(url: str, folder: Path, turn: int) -> float:
    stage = Decoding(RECORDS)
    app = make_app("bench", broker_url=url, group=f"bench.runs{turn}", data_dir=folder)
    job = run_stage(app, TOPIC, stage)
    stop = asyncio.Event()
    running = asyncio.create_task(run_stages([job], until=stop))
    seconds = await _time_until(app, stage.done)
    stop.set()
    await running
    return RECORDS / seconds


async def _stock(url: str, folder: Path, turn: int) -> float:
    counter = Decoding(STOCK_RECORDS)
    app = make_app("bench", broker_url=url, group=f"bench.stock{turn}", data_dir=folder)
    app.conf.stream_buffer_maxsize = 2 * RECORDS  # or Faust sleeps a second whenever its buffers are full
    app.transport = StockTransport(app.conf.broker_consumer, app)
    channel = app.topic(TOPIC, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def feed(stream: Any) -> None:
        async for events in stream.noack_take(500, within=0.05):
            counter.count([event.value for event in events])
            for event in events:
                await stream.ack(event)

    app.agent(channel, name=f"bench.stock{turn}.feed")(feed)
    running = asyncio.create_task(app.start())
    seconds = await _time_until(app, counter.done)
    await running
    await app.stop()
    return counter.seen / seconds


async def _time_until(app: StageApp, done: asyncio.Event) -> float:
    """Seconds from the moment the app may read to the last record."""
    ready: Callable[[], bool] = lambda: app.started and app.tables.recovery.completed.is_set()  # noqa: E731
    while not ready():  # noqa: ASYNC110  # Faust sets no event for it
        await asyncio.sleep(0)
    began = time.perf_counter()
    await done.wait()
    return time.perf_counter() - began


async def _rows(url: str, folder: Path) -> float:
    """Microseconds for each row of a batch of 200 that a stage writes to its table, acknowledged."""
    app = make_app("bench", broker_url=url, group="bench.rows", data_dir=folder)
    state = FaustState(app, "rows", partitions=1)
    job = run_stage(app, "bench.tick", Decoding(1))
    await job.start()
    rows: dict[str, bytes | None] = {f"series/{n}": bytes(300) for n in range(200)}
    began = time.perf_counter()
    for _ in range(50):
        await state.put(0, rows)
    seconds = time.perf_counter() - began
    await job.stop()
    return seconds / (50 * len(rows)) * 1e6


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:26} {figure:12,.1f}")
