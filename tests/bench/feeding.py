"""What the benchmarks of whole pipelines share: texts, publishing them, and running the stages until all is done."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from models import Classifier, NullClassifier
from streams.app import Pipeline
from streams.archive.protocol import Archive
from streams.classifiers import classifiers_of
from streams.engine.ports import Send
from streams.feeds.fieldmap import FieldMap, to_news
from streams.namespaces import Kind
from streams.sample import generate
from streams.settings import Settings
from streams.text.profile import load_profile
from streams.text.signature import partition_key
from streams.topics import END_HEADER, topic_specs
from streams.transport.broker import open_broker
from streams.transport.stages import run_stages

__all__ = ["Sample", "drain", "in_process", "null_classifiers", "publish", "steady", "texts"]


@dataclass(frozen=True)
class Sample:
    """How far the pipeline was, and what it had used: MB resident, seconds of clock and of processor."""

    done: int
    resident_mb: float
    clock: float
    cpu: float


def in_process(module: str, *arguments: str) -> dict[str, float]:
    """The figures that a process of its own prints as its last line."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def texts(count: int) -> Iterator[dict[str, Any]]:
    """Distinct items: the sample feed over and over, each round numbered and later than the one before."""
    round_number, made = 0, 0
    while made < count:
        for raw in generate(seed=round_number):
            if not isinstance(raw.get("title"), str):
                continue
            yield raw | {"id": f"{round_number}-{made}", "title": f"{raw['title']} {round_number or ''}".strip()}
            made += 1
            if made == count:
                return
        round_number += 1


def publish(settings: Settings, count: int, *, apart_ms: int = 1_000) -> int:
    """Put `count` items into the topic news, `apart_ms` of event time apart; the number of records published."""
    settings.home.mkdir(parents=True, exist_ok=True)
    now_ms = time.time_ns() // 1_000_000
    start_ms = now_ms - count * apart_ms - 3_600_000
    topic = settings.topics.news
    sends: list[Send] = []
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics(topic_specs(settings))
        for index, raw in enumerate(texts(count)):
            seen_ms = start_ms + index * apart_ms
            news = to_news(raw | {"published": None}, FieldMap.default(), seen_ms=seen_ms, now_ms=now_ms)
            sends.append(Send(topic, partition_key(news.title), msgspec.json.encode(news), timestamp_ms=seen_ms))
            if len(sends) == 1_000:
                broker.append(sends)
                sends = []
        end = (END_HEADER, str(start_ms + count * apart_ms + 60_000).encode())
        ends = [Send(topic, b"end", None, partition, (end,), now_ms) for partition in range(settings.partitions)]
        broker.append([*sends, *ends])
    return count + settings.partitions


def null_classifiers(settings: Settings) -> Mapping[str, Classifier]:
    """In place of the profile's classifiers, ones with the same labels that cost nothing."""
    real = classifiers_of(settings, load_profile(settings.profile))
    nulls = {language: NullClassifier(classifier.labels) for language, classifier in real.items()}
    for classifier in real.values():
        classifier.close()
    return nulls


async def drain(
    settings: Settings, classifiers: Mapping[str, Classifier], total: int, archive: Archive | None = None
) -> list[Sample]:
    """Run all stages until the `total` records published are committed; samples on the way, the last at the end."""
    topics = settings.topics
    samples: list[Sample] = []
    async with Pipeline(settings, classifiers=classifiers, channels=(), archive=archive, kind=Kind.REPLAY) as pipeline:
        stop = asyncio.Event()

        async def follow() -> None:
            with open_broker(settings.broker, settings.kafka) as broker:
                while True:
                    lag = await asyncio.to_thread(broker.lag, topics.group("score"), topics.news)
                    done = total - min(lag, total)
                    samples.append(Sample(done, _resident_mb(), time.perf_counter(), time.process_time()))
                    if not lag and not await asyncio.to_thread(broker.lag, topics.group("watch"), topics.mentions):
                        break
                    await asyncio.sleep(0.25)
            stop.set()

        following = asyncio.ensure_future(follow())
        await run_stages(pipeline.jobs, until=stop)
        await following
    return samples


def steady(samples: list[Sample]) -> tuple[int, float, float]:
    """(records, seconds of clock, seconds of processor) from the first runs done to the end: start-up is not in it."""
    first = next(sample for sample in samples if sample.done)
    last = samples[-1]
    return last.done - first.done, last.clock - first.clock, last.cpu - first.cpu


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
