"""A whole pipeline whose archive takes its time, in a process of its own, to be stopped.

    python -m tests.observe.slow_worker_program DATA_FOLDER SECONDS_A_WRITE

Prints `writing` when a write begins and `written` when it has ended. SIGTERM drains it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from models import NullClassifier
from streams.app import Pipeline
from streams.archive.memory import MemoryArchive
from streams.archive.protocol import Claims, Written
from streams.observe.jobs import JobState
from streams.observe.logs import set_up_logs
from streams.observe.operations import Operations
from streams.records import Scored
from streams.settings import load_settings
from streams.transport.stages import run_stages

HEADS = {"sentiment": ("negative", "neutral", "positive"), "topic": ("Earnings", "Markets")}


class SlowArchive(MemoryArchive):
    """Takes its time over items."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> list[Written]:
        print("writing", flush=True)
        await asyncio.sleep(self.seconds)
        outcomes = await super().write_items(items, claims)
        print("written", flush=True)
        return outcomes


async def main(folder: str, seconds: str) -> None:
    settings = load_settings(data_dir=Path(folder), http_port=0, terminal=False)
    stages = ("score", "watch")
    operations = Operations(settings, ())
    pipeline = Pipeline(
        settings,
        stages,
        classifiers={"en": NullClassifier(HEADS)},
        channels=(),
        archive=SlowArchive(float(seconds)),
        operations=operations,
    )
    async with operations, pipeline:
        states = dict(zip(stages, map(JobState, pipeline.jobs), strict=True))
        async with operations.following(states, pipeline.broker):
            await run_stages(pipeline.jobs)


if __name__ == "__main__":
    set_up_logs(sys.stderr)
    asyncio.run(main(*sys.argv[1:]))
