"""A replay from start to end: publish a file into its namespace, run the stages until all is drained.

The publisher works in a thread of its own; the stages in this event loop. A replay that was killed goes on:
the publisher at its line, each stage at what it had committed.
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from alerts.delivery import Channel, Status
from models import Classifier
from models.artifact import MANIFEST
from streams.app import STAGES, Pipeline
from streams.archive.protocol import Archive, ArchiveStats
from streams.errors import ReplayRefused, StageTaken
from streams.feeds.fieldmap import field_map_of
from streams.feeds.publisher import BrokerPublisher
from streams.feeds.replay import Replay, ReplayOptions, ReplayProgress
from streams.jobs.replay_end import end_of_time, settle_ms
from streams.jobs.resend import read_deliveries
from streams.jobs.retry import read_rejects
from streams.namespaces import Kind
from streams.settings import Settings
from streams.topics import NAMED
from streams.transport.broker import Broker, open_broker, setting_of
from streams.transport.stages import run_stages

__all__ = ["ReplayReport", "namespace_of", "replay_file"]

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a namespace holds after a replay: every record read is archived, a duplicate or parked.

    `waiting` records are published and not processed yet: the replay was stopped by the signal `stopped_by`.
    `unscored` items are archived without a score, by language. `unsent` counts notifications that wait, by channel.
    """

    namespace: str
    progress: ReplayProgress
    archive: ArchiveStats
    rejects: Mapping[str, int]
    alerts: int
    unscored: Mapping[str, int]
    waiting: int = 0
    stopped_by: signal.Signals | None = None
    unsent: Mapping[str, int] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        return sum(self.rejects.values())

    @property
    def archived(self) -> int:
        """Items and their revisions."""
        return self.archive.items + self.archive.revisions

    @property
    def finished(self) -> bool:
        """Whether the file was read to its end and every stage has done all."""
        return self.progress.complete and self.stopped_by is None


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

    Raises `FileUnusable` before anything is made, `ReplayRefused` before anything is published, also when another
    replay runs into the namespace or existing topics are named for it, `StageTaken` when a worker runs in it,
    `SettingsError` when it is live.
    """
    _keep_out_of_named(settings)
    _preview(settings, file)
    async with Pipeline(settings, STAGES, classifiers, channels, kind=Kind.REPLAY) as pipeline:
        return await _play(pipeline, file, speed, on_progress, on_scored)


def _keep_out_of_named(settings: Settings) -> None:
    """Old news has no place in topics that others read as they come."""
    topics = settings.topics
    if named := [f"{setting_of(topic)}={name}" for topic in NAMED if (name := topics.foreign(topic))]:
        raise ReplayRefused(
            f"a replay into namespace {settings.namespace} would write to topics that others use ({', '.join(named)}): "
            "replay into a namespace of its own (without --into, or with another name)"
        )


def _preview(settings: Settings, file: Path) -> None:
    if file.exists() and not file.is_file() and not file.is_dir():
        return  # a pipe can be read once, and standard input too
    if str(file) != "-":
        options = ReplayOptions(fieldmap=field_map_of(settings))
        Replay(file, news_topic=settings.topics.news, rejects_topic=settings.topics.rejects, options=options).preview()


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
    opened = open_broker(settings.broker, settings.kafka, progress_topic=settings.topics.progress)
    with opened as broker, ExitStack() as claimed:
        check = await asyncio.to_thread(claimed.enter_context, _sole_replay(settings, broker))
        replay, publisher = _replay_of(pipeline, file, speed, broker), BrokerPublisher(broker, check)
        publishing = asyncio.ensure_future(asyncio.to_thread(replay.run, publisher, on_progress, quit_publishing))
        following = asyncio.ensure_future(_stop_when_drained(pipeline, broker, publishing, stop, on_scored))
        try:
            stopped_by = await run_stages(pipeline.jobs, until=stop, check=pipeline.check)
            quit_publishing.set()
            progress = await publishing
            drained = following.done() and following.result()
        finally:
            quit_publishing.set()
            following.cancel()
            await asyncio.gather(publishing, following, return_exceptions=True)
        return await _report(settings, broker, archive, progress, None if drained else stopped_by)


@contextmanager
def _sole_replay(settings: Settings, broker: Broker) -> Iterator[Callable[[], None]]:
    """Keeps other replays out of the namespace; raises ReplayRefused when one is in it."""
    topics = settings.topics
    with ExitStack() as held:
        try:
            check = held.enter_context(broker.claim(topics.group("replay"), topics.control))
        except StageTaken as taken:
            raise ReplayRefused(
                f"another replay runs into namespace {settings.namespace}: wait until it has ended, or replay into a "
                "namespace of its own (without --into, or with another name). On Kafka a killed one is forgotten "
                f"after {settings.kafka.session_seconds:g} s (MOODWIRE_KAFKA_SESSION_SECONDS)"
            ) from taken
        yield check


def _replay_of(pipeline: Pipeline, file: Path, speed: float, broker: Broker) -> Replay:
    topics, config = pipeline.settings.topics, pipeline.config
    options = ReplayOptions(
        fieldmap=field_map_of(pipeline.settings),
        speed=speed,
        lateness_ms=config.lateness_ms,
        hop_ms=config.hop_ms,
        inputs=_inputs(pipeline.settings, config.lateness_ms),
        lag=lambda: broker.lag(topics.group("score"), topics.news),
    )
    return Replay(file, news_topic=topics.news, rejects_topic=topics.rejects, options=options)


async def _stop_when_drained(
    pipeline: Pipeline,
    broker: Broker,
    publishing: asyncio.Future[ReplayProgress],
    stop: asyncio.Event,
    on_scored: Callable[[int], None],
) -> bool:
    """Set `stop` once the file is published and every stage, in the order of the flow, has committed all: True.

    False when publishing failed. Notifications of a channel that fails, or copies for an archive that does, are not
    waited for: a worker of the namespace goes on with them.
    """
    topics, delivering = pipeline.settings.topics, pipeline.delivering
    while True:
        done = publishing.done()
        if done and publishing.exception() is not None:
            stop.set()
            return False
        lags = [
            await asyncio.to_thread(broker.lag, topics.group(name), topic) for name, topic in topics.sources.items()
        ]
        on_scored(lags[0])
        if done and not any(lags) and (delivering is None or delivering.is_done):
            if await asyncio.to_thread(end_of_time, broker, topics, settle_ms(pipeline.policy)):
                continue
            stop.set()
            return True
        await asyncio.sleep(_POLL_SECONDS)


async def _report(
    settings: Settings,
    broker: Broker,
    archive: Archive,
    progress: ReplayProgress,
    stopped_by: signal.Signals | None,
) -> ReplayReport:
    topics = settings.topics
    rejects = await asyncio.to_thread(read_rejects, broker, topics)
    deliveries = await asyncio.to_thread(read_deliveries, broker, topics)
    lags = [await asyncio.to_thread(broker.lag, topics.group(name), topic) for name, topic in topics.sources.items()]
    await archive.refresh()
    alerts = await archive.alerts(limit=10_000)
    return ReplayReport(
        settings.namespace,
        progress,
        await archive.stats(),
        Counter(reject.reason for reject in rejects),
        len(alerts),
        await archive.unscored(),
        lags[0],
        stopped_by,
        Counter(known.plan.receiver for known in deliveries if known.plan.status is Status.WAITING),
    )


def _inputs(settings: Settings, lateness_ms: int) -> dict[str, str]:
    """What decides the result besides the file and its map: a replay with another is another one."""
    profile = Path(settings.profile)
    return {
        "profile": _digest(*_files_of(profile)) if profile.is_dir() else settings.profile,
        "watchlist file": _digest(settings.watchlists),
        "gazetteer": _digest(settings.gazetteer),
        "lateness": str(lateness_ms),
    }


def _files_of(profile: Path) -> list[Path]:
    """A profile's rules, its gazetteers, and its models' manifests, which state the sums of their other files."""
    return sorted(path for path in profile.rglob("*") if path.suffix in {".yaml", ".csv"} or path.name == MANIFEST)


def _digest(*paths: Path | None) -> str:
    digest = hashlib.sha256()
    for path in filter(None, paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def namespace_of(path: Path) -> str:
    """The namespace of a file that was told none: `replay-` and the file's stem, as a namespace may be spelt."""
    stem = path.name.split(".", 1)[0].lower() if str(path) != "-" else "stdin"
    clean = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in stem).strip("-")
    return f"replay-{clean[:50] or 'file'}"
