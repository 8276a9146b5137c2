"""From publishing to archived, and to an alert: p50, p99, p99.9 with Kafka, Elasticsearch and the shipped model.

The servers are warm: Elasticsearch has indexed and merged before. The stages run as in production: `score` in a
process of its own, `watch` and `deliver` in another. First there is always news waiting, and each item that is archived
makes place for another: the rate of that is what all of it together, the publishing too, sustains. Then news comes at
half of that rate, a while to settle and LATENCY_SECONDS (300) that are measured, and now and then a burst of bad news
about one company. An item counts as archived when it stands on the topic `scored`: that is after Elasticsearch has
acknowledged it. Only the last burst items' time of publishing counts for an alert.
"""

from __future__ import annotations

import asyncio
import csv
import gc
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiokafka
import msgspec
import numpy as np

from streams.feeds.fieldmap import FieldMap, to_news
from streams.records import News
from streams.settings import Settings
from streams.text.profile import load_profile
from streams.text.signature import partition_key
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from tests.bench.bench_elastic import warmed
from tests.bench.feeding import in_process, texts
from tests.integration.elastic_server import ElasticUnavailable, running_elastic
from tests.integration.kafka_server import KafkaUnavailable, running_kafka

SECONDS = float(os.environ.get("LATENCY_SECONDS", "300"))
PARTITIONS = 2
LINGER_MS = 20
"""How long our feeds' producer gathers records; it counts as latency."""
WORKERS = (("score",), ("watch", "deliver"))
WARM_UP_SECONDS = 60.0
TEXTS = 20_000
"""Texts made beforehand: to make some thousands takes a tenth of a second, in which this process would time nothing."""
WAITING = 3_000
"""Items published and not archived while the sustained rate is measured: some seconds' work, so runs are long."""
SUSTAINED_SECONDS = 60.0
BURST_EVERY_SECONDS = 10.0
FIRST_RUNS_SECONDS = 20.0
HISTORY_MS = 5 * 86_400_000
"""The first items were seen so long ago: a stream younger than the warm-up raises no alert."""
PATIENCE_SECONDS = 120.0
BAD_NEWS = (
    "{name} shares plunge after fraud probe",
    "{name} slumps as losses widen and forecast is cut",
    "Regulators sue {name} over accounting scandal",
    "{name} warns of bankruptcy, stock crashes",
    "Analysts downgrade {name} as debt fears mount",
    "{name} halts production after fatal accident, shares tumble",
)


class _Id(msgspec.Struct):
    id: str


class _Scored(msgspec.Struct):
    news: _Id


class _Alert(msgspec.Struct):
    series: str
    state: str


_scored = msgspec.json.Decoder(_Scored)
_alert = msgspec.json.Decoder(_Alert)


class Stream:
    """Publishes news at a steady pace and keeps when each item, and each company's burst, was published and arrived."""

    def __init__(self, settings: Settings, producer: aiokafka.AIOKafkaProducer) -> None:
        self.settings = settings
        self.producer = producer
        self.sent: dict[str, float] = {}
        self.archived: dict[str, float] = {}
        self.burst: dict[str, float] = {}
        self.alerted: dict[str, float] = {}
        self.arrived = asyncio.Event()
        self._news = _endless(list(texts(TEXTS)))

    async def publish(self, raw: Mapping[str, object], seen_ms: int | None = None) -> None:
        now_ms = time.time_ns() // 1_000_000
        seen_ms = now_ms if seen_ms is None else seen_ms
        news: News = to_news({**raw, "published": None}, FieldMap.default(), seen_ms=seen_ms, now_ms=now_ms)
        self.sent[news.id] = time.perf_counter()
        await self.producer.send(
            self.settings.topics.news, msgspec.json.encode(news), partition_key(news.title), timestamp_ms=seen_ms
        )

    async def publish_next(self, seen_ms: int | None = None) -> None:
        await self.publish(next(self._news), seen_ms)

    async def publish_burst(self, number: int, entity: str, name: str) -> None:
        for at, words in enumerate(BAD_NEWS):
            title = words.format(name=name)
            await self.publish({"id": f"burst-{number}-{at}", "title": title, "source": f"wire{at}.example"})
        self.burst[f"entity/{entity}"] = time.perf_counter()

    async def listen(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        topics = self.settings.topics
        async for record in consumer:
            now = time.perf_counter()
            if record.topic == topics.scored:
                self.archived.setdefault(_scored.decode(record.value).news.id, now)
            elif record.value is not None and (alert := _alert.decode(record.value)).state == "firing":  # no seal
                self.alerted.setdefault(alert.series, now)
            self.arrived.set()

    async def settled(self, ids: set[str], series: set[str]) -> None:
        """Returns when all of them have arrived; raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (ids <= self.archived.keys() and series <= self.alerted.keys()):
                self.arrived.clear()
                await self.arrived.wait()


def _endless(news: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for lap in itertools.count():
        for raw in news:
            yield raw | {"id": f"{lap}-{raw['id']}", "title": f"{raw['title']} {lap}"}


def measure() -> dict[str, float]:
    try:
        return in_process("tests.bench.bench_latency")
    except (KafkaUnavailable, ElasticUnavailable) as reason:
        print(f"NO SERVERS, latency is not measured: {reason}", file=sys.stderr)
        return {}


def main() -> None:
    gc.disable()  # what measures keeps every item: its collector's pauses are nobody's latency
    with tempfile.TemporaryDirectory() as name, running_kafka(Path(name)) as kafka, running_elastic() as elastic:
        settings = Settings(
            data_dir=Path(name),
            broker_url=f"kafka://{kafka.bootstrap}",
            archive_url=elastic.url,
            archive_prefix="latency-",
            archive_replicas=0,
            partitions=PARTITIONS,
            mentions_partitions=PARTITIONS,
            terminal=False,
        )
        with open_broker(settings.broker, settings.kafka) as broker:
            broker.ensure_topics(topic_specs(settings))
        asyncio.run(warmed(elastic.url))
        print(json.dumps(asyncio.run(_measure(settings, kafka.bootstrap))))


async def _measure(settings: Settings, bootstrap: str) -> dict[str, float]:
    async with _stream(settings, bootstrap) as stream, _workers(settings):
        rate = await _sustained(stream)
        await _steady(stream, rate / 2, WARM_UP_SECONDS, iter(()))
        first = len(stream.sent)
        await _steady(stream, rate / 2, SECONDS, _companies(settings))
        ids = list(stream.sent)[first:]
        await stream.settled(set(ids), set())
        archived = [stream.archived[one] - stream.sent[one] for one in ids]
        missing = await _missing_alerts(stream)
    alerted = [at - stream.burst[series] for series, at in stream.alerted.items() if series in stream.burst]
    return {
        "sustained: items/s": rate,
        "half load: items": float(len(ids)),
        **_percentiles("published to archived, ms", archived, 1_000),
        **_percentiles("published to alert, s", alerted, 1),
        "bursts": float(len(stream.burst)),
        "bursts without an alert": float(len(missing)),
    }


@asynccontextmanager
async def _stream(settings: Settings, bootstrap: str) -> AsyncIterator[Stream]:
    topics = settings.topics
    consumer = aiokafka.AIOKafkaConsumer(topics.scored, topics.alerts, bootstrap_servers=bootstrap)
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=LINGER_MS)
    await consumer.start()
    await producer.start()
    stream = Stream(settings, producer)
    listening = asyncio.ensure_future(stream.listen(consumer))
    try:
        yield stream
    finally:
        listening.cancel()
        await producer.stop()
        await consumer.stop()


async def _sustained(stream: Stream) -> float:
    """Items a second that are archived while news is published as fast as that, the first runs not counted."""
    now_ms = time.time_ns() // 1_000_000
    for at in range(WAITING):
        await stream.publish_next(now_ms - HISTORY_MS + at)
    begun = await _kept_waiting(stream, FIRST_RUNS_SECONDS)
    ended = await _kept_waiting(stream, SUSTAINED_SECONDS)
    await stream.settled(set(stream.sent), set())
    return sum(begun < at <= ended for at in stream.archived.values()) / (ended - begun)


async def _kept_waiting(stream: Stream, seconds: float) -> float:
    """For `seconds` from the next arrival, publish an item for each that arrives; returns when it ended."""
    ends = None
    while ends is None or time.perf_counter() < ends:
        async with asyncio.timeout(PATIENCE_SECONDS):
            stream.arrived.clear()
            await stream.arrived.wait()
        ends = ends or time.perf_counter() + seconds
        while len(stream.sent) - len(stream.archived) < WAITING:
            await stream.publish_next()
    return time.perf_counter()


async def _steady(stream: Stream, rate: float, seconds: float, companies: Iterator[tuple[str, str]]) -> None:
    """News at `rate` a second, and a burst about one of the `companies` every few seconds until they are used up."""
    began = time.perf_counter()
    published = bursts = 0
    while (elapsed := time.perf_counter() - began) < seconds:
        for _ in range(int(elapsed * rate) - published):
            await stream.publish_next()
            published += 1
        if elapsed >= (bursts + 1) * BURST_EVERY_SECONDS and elapsed < seconds - BURST_EVERY_SECONDS:
            if company := next(companies, None):
                await stream.publish_burst(bursts, *company)
            bursts += 1
        await asyncio.sleep(0.005)


async def _missing_alerts(stream: Stream) -> set[str]:
    """Waits for the last bursts' alerts while news goes on, as event time does by it; those that never came."""
    deadline = time.perf_counter() + PATIENCE_SECONDS / 2
    while (missing := stream.burst.keys() - stream.alerted.keys()) and time.perf_counter() < deadline:
        await stream.publish_next()
        await asyncio.sleep(0.05)
    return set(missing)


def _companies(settings: Settings) -> Iterator[tuple[str, str]]:
    """(id, name) of issuers whose name needs no evidence."""
    profile = load_profile(settings.profile)
    gazetteer = profile.gazetteer(profile.default_language)
    assert gazetteer is not None
    with Path(gazetteer.file).open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if not row["needs_evidence"] and " " in row["name"] and row["name"].replace(" ", "").isalpha():
                yield row["id"], row["name"]


def _percentiles(name: str, seconds: list[float], scale: float) -> dict[str, float]:
    if not seconds:
        return {}
    return {f"{name}: p{q:g}": float(np.percentile(seconds, q)) * scale for q in (50, 99, 99.9)}


@asynccontextmanager
async def _workers(settings: Settings) -> AsyncIterator[None]:
    environment = _environment(settings)
    processes: list[asyncio.subprocess.Process] = []
    try:
        for stages in WORKERS:
            command = _command(stages)
            processes.append(await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.DEVNULL))
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            await process.wait()


def _command(stages: Sequence[str]) -> list[str]:
    moodwire = str(Path(sys.executable).with_name("moodwire"))
    return [moodwire, "run", *(word for stage in stages for word in ("--stage", stage))]


def _environment(settings: Settings) -> dict[str, str]:
    names = ("data_dir", "broker_url", "archive_url", "archive_prefix", "archive_replicas", "partitions",
             "mentions_partitions", "terminal")  # fmt: skip
    own = {f"MOODWIRE_{name.upper()}": str(getattr(settings, name)) for name in names}
    return {k: v for k, v in os.environ.items() if not k.startswith("MOODWIRE_")} | own | {"MOODWIRE_HTTP_PORT": "0"}


if __name__ == "__main__":
    main()
