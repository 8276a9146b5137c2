"""A replay from start to end: publish a file into its namespace, run the stages until all is drained.

The publisher works in a thread of its own; the stages in this event loop. A replay that was killed goes on:
the publisher at its line, each stage at what it had committed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from alerts.delivery import Channel
from models import Classifier
from streams.app import STAGES, Pipeline
from streams.archive.protocol import Archive, ArchiveStats
from streams.feeds.fieldmap import field_map_of
from streams.feeds.publisher import open_publisher
from streams.feeds.replay import Replay, ReplayOptions, ReplayProgress
from streams.namespaces import Kind
from streams.rejects import read_rejects
from streams.settings import Settings
from streams.transport.broker import Broker, open_broker
from streams.transport.stages import run_stages

__all__ = ["ReplayReport", "namespace_of", "replay_file"]

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a namespace holds after a replay: every record read is archived, a duplicate or parked."""

    namespace: str
    progress: ReplayProgress
    archive: ArchiveStats
    rejects: int
    alerts: int

    @property
    def archived(self) -> int:
        """Items and their revisions."""
        return self.archive.items + self.archive.revisions


async def replay_file(
    settings: Settings,
    file: Path,
    *,
    speed: float = 0.0,
    channels: Iterable[Channel] | None = None,
    classifiers: Mapping[str, Classifier] | None = None,
    on_progress: Callable[[ReplayProgress], None] = lambda _: None,
    on_scored: Callable[[int], None] = lambda _: None,
) -> ReplayReport:
    """Replay into `settings.namespace`. `on_progress` is called in the publisher's thread, `on_scored` in this loop.

    Raises `ReplayRefused` before anything is published, `StageTaken` when a worker runs in the namespace,
    `SettingsError` when the namespace is live.
    """
    async with Pipeline(settings, STAGES, classifiers, channels, kind=Kind.REPLAY) as pipeline:
        return await _play(pipeline, file, speed, on_progress, on_scored)


async def _play(
    pipeline: Pipeline,
    file: Path,
    speed: float,
    on_progress: Callable[[ReplayProgress], None],
    on_scored: Callable[[int], None],
) -> ReplayReport:
    settings, archive = pipeline.settings, pipeline.archive
    assert archive is not None
    stop, quit_publishing = asyncio.Event(), threading.Event()
    publisher = open_publisher(settings.broker, progress_topic=settings.topics.progress, kafka=settings.kafka)
    with open_broker(settings.broker, settings.kafka) as broker, closing(publisher):
        replay = _replay_of(pipeline, file, speed, broker)
        publishing = asyncio.ensure_future(asyncio.to_thread(replay.run, publisher, on_progress, quit_publishing))
        following = asyncio.ensure_future(_stop_when_drained(settings, broker, publishing, stop, on_scored))
        try:
            await run_stages(pipeline.jobs, until=stop)
            quit_publishing.set()
            progress = await publishing
        finally:
            quit_publishing.set()
            following.cancel()
            await asyncio.gather(publishing, following, return_exceptions=True)
        return await _report(settings, broker, archive, progress)


def _replay_of(pipeline: Pipeline, file: Path, speed: float, broker: Broker) -> Replay:
    topics, config = pipeline.settings.topics, pipeline.config
    options = ReplayOptions(
        fieldmap=field_map_of(pipeline.settings),
        speed=speed,
        lateness_ms=config.lateness_ms,
        hop_ms=config.hop_ms,
        lag=lambda: broker.lag(topics.group("score"), topics.news),
    )
    return Replay(file, news_topic=topics.news, rejects_topic=topics.rejects, options=options)


async def _stop_when_drained(
    settings: Settings,
    broker: Broker,
    publishing: asyncio.Future[ReplayProgress],
    stop: asyncio.Event,
    on_scored: Callable[[int], None],
) -> None:
    """Set `stop` once the file is published and every stage, in the order of the flow, has committed all."""
    topics = settings.topics
    while True:
        done = publishing.done()
        if done and publishing.exception() is not None:
            break
        lags = [
            await asyncio.to_thread(broker.lag, topics.group(name), topic) for name, topic in topics.sources.items()
        ]
        on_scored(lags[0])
        if done and not any(lags):
            break
        await asyncio.sleep(_POLL_SECONDS)
    stop.set()


async def _report(settings: Settings, broker: Broker, archive: Archive, progress: ReplayProgress) -> ReplayReport:
    rejects = await asyncio.to_thread(read_rejects, broker, settings.topics)
    await archive.refresh()
    alerts = await archive.alerts(limit=10_000)
    return ReplayReport(settings.namespace, progress, await archive.stats(), len(rejects), len(alerts))


def namespace_of(path: Path) -> str:
    """The namespace of a file that was told none: `replay-` and the file's stem, as a namespace may be spelt."""
    stem = path.name.split(".", 1)[0].lower() if str(path) != "-" else "stdin"
    clean = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in stem).strip("-")
    return f"replay-{clean[:50] or 'file'}"
