"""The stages of a pipeline, run beside a test as a process would run them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.app import Pipeline
from streams.transport.stages import run_stages

__all__ = ["running"]


@asynccontextmanager
async def running(pipeline: Pipeline) -> AsyncIterator[None]:
    """The stages of an entered pipeline run until the block ends, and have stopped after it."""
    stop = asyncio.Event()
    stages = asyncio.ensure_future(run_stages(pipeline.jobs, until=stop))
    try:
        yield
    finally:
        stop.set()
        await stages
