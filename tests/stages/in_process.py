"""The pipeline in one process and one thread, in seconds: lines of a file in, alert events out; no broker, no database.

    Replay ──► records of news ──► ScoreStage ──► MemoryArchive
                                       └────────► records of mentions ──► WatchPartition ──► alert events

The parts are those of the pipeline. What moves records between them is left out: transport, writes, restarts.
`Facts` are what two versions of moodwire must agree on: short enough to be kept, without a word of the news.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from alerts import AlertConfig, AlertEvent
from models import Classifier
from streams.archive.memory import MemoryArchive
from streams.engine.ports import Send
from streams.engine.runs import Record, Run
from streams.feeds.fieldmap import FieldMap
from streams.feeds.replay import Replay, ReplayOptions
from streams.records import MentionBatch, MentionItem, Scored
from streams.stages.reader import TextReader
from streams.stages.score import ScoreOptions, ScoreStage
from streams.stages.watch_partition import WatchPartition
from streams.text.profile import Profile
from streams.topics import Topics

__all__ = ["Collected", "Facts", "Played", "event_facts", "play_file"]

RUN_RECORDS = 500
TOPICS = Topics("moodwire", "in-process")
Event = tuple[str, str, int, str, int, int]  # rule, series, onset (ms), change, hits, items


@dataclass(frozen=True, slots=True)
class Facts:
    """Alert events in order, and digests: of every item's scores, and of every series' hits and items."""

    events: Sequence[Event]
    items: int
    scores: str
    counts: str

    def as_json(self) -> dict[str, Any]:
        """Events by a digest of their own, so that a file of facts stays small."""
        return {
            "events": len(self.events),
            "events_digest": _digest(map(repr, self.events)),
            "items": self.items,
            "scores": self.scores,
            "counts": self.counts,
        }


@dataclass(slots=True)
class Played:
    """What came out of a file: events in order, items as archived, and (hits, items) by series."""

    events: list[AlertEvent] = field(default_factory=list)
    archive: MemoryArchive = field(default_factory=MemoryArchive)
    counts: dict[str, tuple[int, int]] = field(default_factory=lambda: defaultdict(lambda: (0, 0)))

    async def facts(self) -> Facts:
        items = await self.archive.items_after(epoch="e", partition=0, after_offset=-1, limit=1_000_000)
        return Facts(
            events=event_facts(self.events),
            items=len(items),
            scores=_digest(f"{item.news.id} {item.news.content} {_scores(item)}" for item in items),
            counts=_digest(f"{series} {hits} {total}" for series, (hits, total) in sorted(self.counts.items())),
        )


def event_facts(events: Iterable[AlertEvent]) -> list[Event]:
    """What an event says of whom."""
    return [(one.rule, one.series, one.onset_ms, one.change, one.observed.hits, one.observed.total) for one in events]


def _scores(item: Scored) -> str:
    """The item's scores as text, the same whatever records hold them."""
    own, topic = item.heads.get("sentiment"), item.heads.get("topic")
    towards = [(one.id, judged.label, judged.score) for one in item.entities for judged in one.heads.values()]
    return f"{own and (own.label, own.score)} {topic and (topic.label, topic.probability)} {towards}"


def _hits(item: MentionItem) -> int:
    return int("negative" in item.signals)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


class Collected:
    """An outbox, and a publisher of so many partitions: keeps what it is given until it is taken."""

    def __init__(self, count: int = 1) -> None:
        self.sends: list[Send] = []
        self._count = count

    async def send(self, sends: Sequence[Send]) -> None:
        self.sends += sends

    def publish(self, sends: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
        self.sends += sends

    def progress(self, key: str) -> str | None:
        return None

    def partitions(self, topic: str) -> int:
        return self._count

    def close(self) -> None:
        """Nothing is held."""

    def taken(self, topic: str) -> list[Send]:
        """Those of the topic since the last call; the others are dropped."""
        sends, self.sends = self.sends, []
        return [one for one in sends if one.topic == topic]


async def play_file(
    path: Path,
    profile: Profile,
    config: AlertConfig,
    classifiers: Mapping[str, Classifier],
    *,
    watchlists: Path | None = None,
    now_ms: int = 4_102_444_800_000,
) -> Played:
    """Plays the file as `moodwire replay` does with one partition of each topic."""
    played, outbox, offset = Played(), Collected(), 0
    stage = ScoreStage(
        ScoreOptions(topics=TOPICS, live=False),
        profile,
        TextReader.build(profile, watchlists=watchlists),
        classifiers,
        played.archive,
        outbox,
        FieldMap.default(),
        clock=lambda: now_ms,
    )
    watch = WatchPartition(config)
    for run in _runs(path, config, now_ms):
        await stage.handle(run)
        for send in outbox.taken(TOPICS.mentions):
            _count(played.counts, msgspec.json.decode(send.value or b"", type=MentionBatch))
            played.events += watch.apply(Record(offset, None, send.value, 0, send.headers))
            offset += 1
    return played


def _runs(path: Path, config: AlertConfig, now_ms: int) -> Iterator[Run]:
    news = Collected()
    options = ReplayOptions(lateness_ms=config.lateness_ms, hop_ms=config.hop_ms)
    Replay(path, news_topic=TOPICS.news, rejects_topic=TOPICS.rejects, options=options).run(news, now_ms=now_ms)
    records = [
        Record(offset, send.key, send.value, send.timestamp_ms or 0, send.headers)
        for offset, send in enumerate(news.taken(TOPICS.news))
    ]
    for start in range(0, len(records), RUN_RECORDS):
        yield Run(TOPICS.news, 0, 1, "e", records[start : start + RUN_RECORDS], len(records))


def _count(counts: dict[str, tuple[int, int]], batch: MentionBatch) -> None:
    for item in batch.items:
        for name in item.series:
            hits, total = counts[name]
            counts[name] = hits + _hits(item), total + 1
