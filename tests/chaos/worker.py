"""A worker of the whole pipeline in a process of its own, to be killed, paused and terminated.

    python -m tests.chaos.worker [--live] [STAGE …]

CHAOS_HASTE="SPEED SINCE" lets the deadlines and back-offs of notifications pass so many times faster than the clock,
since a time in seconds. Settings come from the environment. The namespace is a replay's, unless it is said to be live.
Scores are the null classifier's, or with CHAOS_CLASSIFIER=keyword those of a few words. It prints a line for each run
of a stage that is finished: "done STAGE PARTITION FIRST LAST EPOCH".
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence

from models import Classifier
from streams.app import STAGES, Pipeline
from streams.engine.ports import Stage
from streams.engine.runs import Run
from streams.namespaces import Kind
from streams.receivers.channels import channels_of
from streams.settings import load_settings
from streams.stages import deliver_senders
from streams.transport.stages import run_stages
from tests.chaos.feed import null_classifiers
from tests.stages.keyword_classifier import KeywordClassifier

LIVE = "--live"


class TalkingStage:
    """Says what the stage within has finished."""

    def __init__(self, name: str, stage: Stage) -> None:
        self._name = name
        self._stage = stage

    async def handle(self, run: Run) -> None:
        await self._stage.handle(run)
        print("done", self._name, run.partition, run.first_offset, run.last_offset, run.epoch, flush=True)

    async def idle(self, partition: int, now_ms: int) -> None:
        await self._stage.idle(partition, now_ms)

    def forget(self, partition: int) -> None:
        self._stage.forget(partition)


async def main(stages: Sequence[str], kind: Kind) -> None:
    settings = load_settings()
    classifiers = _classifiers(settings.profile)
    async with Pipeline(settings, stages, classifiers, channels_of(settings), kind=kind) as pipeline:
        for name, job in zip(stages, pipeline.jobs, strict=True):
            job.dispatcher.stage = TalkingStage(name, job.dispatcher.stage)
        if pipeline.delivering is not None and (haste := os.environ.get("CHAOS_HASTE")):
            speed, since = map(float, haste.split())
            pipeline.delivering.book.clock = lambda: int((since + (time.time() - since) * speed) * 1000)
            deliver_senders._LOOK_SECONDS = 0.2
        await run_stages(pipeline.jobs)


def _classifiers(profile: str) -> Mapping[str, Classifier]:
    if os.environ.get("CHAOS_CLASSIFIER") == "keyword":
        return {"en": KeywordClassifier()}
    return null_classifiers(profile)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    asked = [word for word in sys.argv[1:] if word != LIVE]
    asyncio.run(main(asked or STAGES, Kind.LIVE if LIVE in sys.argv else Kind.REPLAY))
