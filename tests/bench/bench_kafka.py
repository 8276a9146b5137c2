"""The whole pipeline on a real Kafka, on one core, with a null classifier and no archive behind it: items/s.

The broker has the other cores. The archive takes every item and keeps none: what is measured is everything else.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from streams.archive.memory import MemoryArchive
from streams.archive.protocol import Claims, Outcome, Written
from streams.process import one_heap
from streams.records import Scored
from streams.settings import Settings
from tests.bench.feeding import drain, in_process, null_classifiers, publish, steady
from tests.bench.kafka_consumers import pinned
from tests.integration.kafka_server import KafkaUnavailable, running_kafka

ITEMS = 40_000
PARTITIONS = 4


class NoArchive(MemoryArchive):
    """Takes items and keeps none; alerts and notifications are kept."""

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> list[Written]:
        return [Outcome.ADDED] * len(items)


def measure() -> dict[str, float]:
    try:
        return in_process("tests.bench.bench_kafka")
    except KafkaUnavailable as reason:
        print(f"NO KAFKA, the pipeline on it is not measured: {reason}", file=sys.stderr)
        return {}


def main() -> None:
    one_heap()
    with tempfile.TemporaryDirectory() as name, running_kafka(Path(name)) as server, pinned(server):
        settings = Settings(
            data_dir=Path(name),
            namespace="bench",
            broker_url=f"kafka://{server.bootstrap}",
            partitions=PARTITIONS,
            mentions_partitions=PARTITIONS,
            terminal=False,
        )
        classifiers = null_classifiers(settings)
        total = publish(settings, ITEMS)
        done, wall, cpu = steady(asyncio.run(drain(settings, classifiers, total, NoArchive())))
        size_bytes = sum(log.stat().st_size for log in Path(name).glob("**/*.log"))  # segments of all topics
    print(
        json.dumps(
            {
                "kafka, null classifier, no archive, one core: items/s": done / wall,
                "kafka, null classifier, no archive, one core: CPU µs an item": cpu / done * 1e6,
                "kafka, null classifier, no archive, one core: items/s by CPU time": done / cpu,
                "kafka, all topics, one replica: bytes on disk an item": size_bytes / total,
            }
        )
    )


if __name__ == "__main__":
    main()
