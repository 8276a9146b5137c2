"""A whole process watched, in this one: an archive that refuses is told through the channels, and its recovery too."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from alerts.delivery import Delivery, Notification
from models import NullClassifier
from streams.app import Pipeline
from streams.archive.memory import MemoryArchive
from streams.archive.protocol import ArchiveError, Claims, Written
from streams.errors import SettingsError
from streams.observe import operations as module
from streams.observe.jobs import JobState
from streams.observe.operations import Operations
from streams.records import Scored
from streams.settings import Settings
from streams.transport.runs import RunLimits
from streams.transport.stages import run_stages
from tests.integration.ports import free_port
from tests.observe.test_run_operations import lag, publish
from tests.observe.watched import Listener, sample

HEADS = {"sentiment": ("negative", "neutral", "positive"), "topic": ("Earnings", "Markets")}


class Refusing(MemoryArchive):
    """Refuses items until it is healed."""

    healed = False

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> list[Written]:
        if not self.healed:
            raise ArchiveError("the index is read-only: free disk space")
        return await super().write_items(items, claims)


class Awaited(Listener):
    """A channel whose next notice can be awaited."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: asyncio.Queue[str] = asyncio.Queue()

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        answer = await super().notify(notification, now_ms)
        notice = self.notices[-1]
        self.queue.put_nowait(f"{notice.reason} {notice.change}")
        return answer


async def test_a_read_only_archive_is_told_the_partition_waits_and_nothing_is_lost(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, http_port=free_port(), trouble_after_seconds=0, terminal=False)
    publish(settings, 20)
    archive, channel, stop = Refusing(), Awaited(), asyncio.Event()
    operations = Operations(settings, [channel], every_seconds=0.05)
    stages = ("score", "watch")
    pipeline = Pipeline(
        settings, stages, {"en": NullClassifier(HEADS)}, channels=(), archive=archive, operations=operations
    )
    async with operations, pipeline, httpx.AsyncClient() as client:
        states = dict(zip(stages, map(JobState, pipeline.jobs), strict=True))
        async with operations.following(states, pipeline.broker):
            running = asyncio.create_task(run_stages(pipeline.jobs, until=stop))
            assert await asyncio.wait_for(channel.queue.get(), 30) == "archive opened"
            body = (await client.get(f"http://127.0.0.1:{settings.http_port}/ready")).json()
            assert body["troubles"][0]["reason"] == "archive"
            assert "read-only: free disk space" in body["troubles"][0]["detail"]
            archive.healed = True
            while await asyncio.wait_for(channel.queue.get(), 30) != "archive resolved":
                pass
            stop.set()
            await running
    assert (await archive.stats()).items == 20
    assert lag(settings) == 0
    assert sample(operations.metrics, "retries_total", stage="score", reason="archive") == sample(
        operations.metrics, "archive_failures_total", reason="error"
    )
    assert channel.closed


async def test_the_usual_port_is_no_condition_and_a_port_asked_for_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(module, "DEFAULT_PORT", port)
        async with Operations(Settings(data_dir=tmp_path), ()) as operations:
            assert operations.server is None
        with pytest.raises(SettingsError, match=f"MOODWIRE_HTTP_PORT={port}"):
            async with Operations(Settings(data_dir=tmp_path, http_port=port), ()):
                pass
    async with Operations(Settings(data_dir=tmp_path, http_port=0), ()) as operations:
        assert operations.server is None


async def test_memory_is_bounded_by_the_settings(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, run_records=7, run_bytes=70_000, runs_in_flight=1, drain_seconds=3, terminal=False
    )
    async with Pipeline(settings, ("score",), {"en": NullClassifier(HEADS)}, (), MemoryArchive()) as pipeline:
        app = pipeline.jobs[0].app
        assert app.run_limits == RunLimits(records=7, size_bytes=70_000, in_flight=1)
        assert app.drain_seconds == 3
