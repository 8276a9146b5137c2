"""The whole embedded pipeline: items/s on one core with a null classifier, memory, and the bare classifier beside it.

Each measurement is a process of its own, pinned as said: `python -m tests.bench.bench_pipeline null|memory|scoring`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from models import Classifier
from streams.classifiers import classifiers_of
from streams.process import one_heap
from streams.settings import Settings
from streams.text.profile import load_profile
from tests.bench.feeding import drain, in_process, null_classifiers, publish, steady, texts

NULL_ITEMS = 20_000
MEMORY_ITEMS = 200_000
SCORING_ITEMS = 6_000
WARM_ITEMS = 20_000


def measure() -> dict[str, float]:
    figures: dict[str, float] = {}
    for mode in MODES:
        figures |= in_process("tests.bench.bench_pipeline", mode)
    return figures


def _measure_null(settings: Settings) -> dict[str, float]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    classifiers = null_classifiers(settings)
    total = publish(settings, NULL_ITEMS)
    done, wall, cpu = steady(asyncio.run(drain(settings, classifiers, total)))
    return {
        "null classifier, one core: items/s": done / wall,
        "null classifier, one core: CPU µs an item, all stages": cpu / done * 1e6,
        "null classifier, one core: items/s by CPU time": done / cpu,
    }


def _measure_memory(settings: Settings) -> dict[str, float]:
    classifiers = null_classifiers(settings)
    # 5 s apart, 20,000 items are more than the 24 hours that series look back on: what grows later is a leak.
    total = publish(settings, MEMORY_ITEMS, apart_ms=5_000)
    samples = asyncio.run(drain(settings, classifiers, total))
    warm = max(sample.resident_mb for sample in samples if sample.done <= WARM_ITEMS)
    return {
        "memory after 20,000 items, MB": warm,
        "memory, highest over 200,000 items, MB": max(sample.resident_mb for sample in samples),
        "memory at the end, MB": samples[-1].resident_mb,
    }


def _measure_scoring(settings: Settings) -> dict[str, float]:
    classifiers = classifiers_of(settings, load_profile(settings.profile))
    titles = [raw["title"] for raw in texts(SCORING_ITEMS)]
    classifier = next(iter(classifiers.values()))
    total = publish(settings, SCORING_ITEMS)
    bare = [_bare_seconds(classifier, titles)]
    done, wall, _ = steady(asyncio.run(drain(settings, classifiers, total)))
    bare.append(_bare_seconds(classifier, titles))
    alone = len(titles) / (sum(bare) / len(bare))
    return {
        "bare classifier: texts/s": alone,
        "whole pipeline with it: items/s": done / wall,
        "pipeline as a share of the bare classifier, %": done / wall / alone * 100,
    }


def _bare_seconds(classifier: Classifier, titles: list[str]) -> float:
    start = time.perf_counter()
    for index in range(0, len(titles), 500):
        classifier.classify(titles[index : index + 500])
    return time.perf_counter() - start


MODES = {"null": _measure_null, "scoring": _measure_scoring, "memory": _measure_memory}


def main(mode: str) -> None:
    one_heap()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), namespace="bench", terminal=False)
        print(json.dumps(MODES[mode](settings)))


if __name__ == "__main__":
    main(sys.argv[1])
