"""A worker of one counting stage in a process of its own, to be killed, stopped and paused.

    python -m tests.transport.worker_program BROKER_URL FOLDER GROUP SOURCE OUT PARTITIONS HOLD

Prints one line for each run that it has finished. SIGTERM drains it. While there is a file HOLD, runs wait before
their effects.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from streams.engine.runs import Run
from streams.errors import MoodwireError
from streams.transport.faust_app import make_app, run_stage
from streams.transport.kafka.options import KafkaOptions
from streams.transport.outbox import FaustOutbox
from streams.transport.runs import RunLimits
from streams.transport.stages import run_stages
from streams.transport.tables import FaustState
from tests.transport.contract_broker import KAFKA_SESSION_SECONDS
from tests.transport.counting_stage import CountingStage


class TalkingStage(CountingStage):
    """Says what it has finished."""

    async def handle(self, run: Run) -> None:
        await super().handle(run)
        print(f"done {run.partition} {run.first_offset} {run.last_offset}", flush=True)


async def main(url: str, folder: str, group: str, source: str, out: str, partitions: str, hold: str) -> None:
    app = make_app(
        "count",
        broker_url=url,
        group=group,
        data_dir=Path(folder),
        limits=RunLimits(records=50),
        commit_interval_seconds=0.1,
        kafka=KafkaOptions(session_seconds=KAFKA_SESSION_SECONDS),
    )
    stage = TalkingStage(FaustState(app, "rows", partitions=int(partitions)), FaustOutbox(app), out)

    async def wait(run: Run) -> None:
        if Path(hold).exists():  # noqa: ASYNC240
            print("holding", file=sys.stderr, flush=True)
        while Path(hold).exists():  # noqa: ASYNC110, ASYNC240  # another process makes and removes it
            await asyncio.sleep(0.01)

    stage.before_effect = wait
    await run_stages([run_stage(app, source, stage)])


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except MoodwireError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
