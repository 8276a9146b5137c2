"""The whole embedded pipeline: items/s on one core with a null classifier, memory, and the bare classifier beside it.

Each measurement is a process of its own, pinned as said: `python -m tests.bench.bench_pipeline null|memory|scoring`.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from models import Classifier, NullClassifier
from streams.app import Pipeline, classifiers_of, topic_specs
from streams.engine.ports import Send
from streams.feeds.fieldmap import FieldMap, to_news
from streams.sample import generate
from streams.settings import Settings
from streams.text.profile import load_profile
from streams.text.signature import partition_key
from streams.topics import END_HEADER
from streams.transport.broker import open_broker
from streams.transport.faust_app import ensure_topics
from streams.transport.stages import run_stages

NULL_ITEMS = 20_000
MEMORY_ITEMS = 200_000
SCORING_ITEMS = 6_000
WARM_ITEMS = 20_000


@dataclass(frozen=True)
class Sample:
    """How far the pipeline was, and what it had used: MB resident, seconds of clock and of processor."""

    done: int
    resident_mb: float
    clock: float
    cpu: float


def measure() -> dict[str, float]:
    figures: dict[str, float] = {}
    for mode in ("null", "scoring", "memory"):
        figures |= _in_process(mode)
    return figures


def _in_process(mode: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_pipeline", mode], check=True, stdout=subprocess.PIPE, text=True
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _texts(count: int) -> Iterator[dict[str, Any]]:
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


def _publish(settings: Settings, count: int) -> int:
    """Put `count` items into the topic news, a second apart; the number published."""
    settings.home.mkdir(parents=True)
    ensure_topics(settings.broker, topic_specs(settings))
    now_ms = time.time_ns() // 1_000_000
    start_ms = now_ms - count * 2_000
    sends: list[Send] = []
    with open_broker(settings.broker) as broker:
        for index, raw in enumerate(_texts(count)):
            seen_ms = start_ms + index * 1_000
            news = to_news(raw | {"published": None}, FieldMap.default(), seen_ms=seen_ms, now_ms=now_ms)
            key = partition_key(news.title)
            sends.append(Send(settings.topics.news, key, msgspec.json.encode(news), timestamp_ms=seen_ms))
            if len(sends) == 1_000:
                broker.append(sends)
                sends = []
        end = (END_HEADER, str(start_ms + count * 1_000 + 60_000).encode())
        broker.append([*sends, Send(settings.topics.news, None, None, 0, (end,), now_ms)])
    return count


async def _drain(settings: Settings, classifiers: Mapping[str, Classifier], samples: list[Sample]) -> None:
    """Run all stages until everything is committed; `samples` gets (items done, resident MB)."""
    topics = settings.topics
    async with Pipeline(settings, classifiers=classifiers, channels=()) as pipeline:
        stop = asyncio.Event()

        async def follow() -> None:
            with open_broker(settings.broker) as broker:
                total = broker.lag(topics.group("score"), topics.news)
                while True:
                    lag = broker.lag(topics.group("score"), topics.news)
                    samples.append(Sample(total - lag, _resident_mb(), time.perf_counter(), time.process_time()))
                    if not lag and not broker.lag(topics.group("watch"), topics.mentions):
                        break
                    await asyncio.sleep(0.25)
            stop.set()

        following = asyncio.ensure_future(follow())
        await run_stages(pipeline.jobs, until=stop)
        await following


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _null(settings: Settings) -> Mapping[str, Classifier]:
    profile = load_profile(settings.profile)
    real = classifiers_of(settings, profile)
    nulls = {language: NullClassifier(classifier.labels) for language, classifier in real.items()}
    for classifier in real.values():
        classifier.close()
    return nulls


def _measure_null(settings: Settings) -> dict[str, float]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    classifiers = _null(settings)
    count = _publish(settings, NULL_ITEMS)
    samples: list[Sample] = []
    asyncio.run(_drain(settings, classifiers, samples))
    first = next(sample for sample in samples if sample.done)  # start-up is over: the first runs are done
    last = samples[-1]
    done, wall, cpu = count - first.done, last.clock - first.clock, last.cpu - first.cpu
    return {
        "null classifier, one core: items/s": done / wall,
        "null classifier, one core: CPU µs an item, all stages": cpu / done * 1e6,
        "null classifier, one core: items/s by CPU time": done / cpu,
    }


def _measure_memory(settings: Settings) -> dict[str, float]:
    classifiers = _null(settings)
    _publish(settings, MEMORY_ITEMS)
    samples: list[Sample] = []
    asyncio.run(_drain(settings, classifiers, samples))
    warm = max(sample.resident_mb for sample in samples if sample.done <= WARM_ITEMS)
    return {
        "memory after 20,000 items, MB": warm,
        "memory, highest over 200,000 items, MB": max(sample.resident_mb for sample in samples),
        "memory at the end, MB": samples[-1].resident_mb,
    }


def _measure_scoring(settings: Settings) -> dict[str, float]:
    profile = load_profile(settings.profile)
    classifiers = classifiers_of(settings, profile)
    texts = [raw["title"] for raw in _texts(SCORING_ITEMS)]
    classifier = next(iter(classifiers.values()))
    _publish(settings, SCORING_ITEMS)
    bare = [_bare_seconds(classifier, texts)]
    samples: list[Sample] = []
    asyncio.run(_drain(settings, classifiers, samples))
    bare.append(_bare_seconds(classifier, texts))
    first = next(sample for sample in samples if sample.done)
    rate = (samples[-1].done - first.done) / (samples[-1].clock - first.clock)
    alone = len(texts) / (sum(bare) / len(bare))
    return {
        "bare classifier: texts/s": alone,
        "whole pipeline with it: items/s": rate,
        "pipeline as a share of the bare classifier, %": rate / alone * 100,
    }


def _bare_seconds(classifier: Classifier, texts: list[str]) -> float:
    start = time.perf_counter()
    for index in range(0, len(texts), 500):
        classifier.classify(texts[index : index + 500])
    return time.perf_counter() - start


MODES = {"null": _measure_null, "memory": _measure_memory, "scoring": _measure_scoring}


def main(mode: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), namespace="bench", terminal=False)
        print(json.dumps(MODES[mode](settings)))


if __name__ == "__main__":
    main(sys.argv[1])
