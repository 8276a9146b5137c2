"""What must come out: one careful pass over the records that stand in the topic news, in one thread, no broker.

    records ──► read ──► classify ──► MemoryArchive ──► one mentions batch an item ──► WatchPartition ──► alerts
                  └──► rejects

Shares with the pipeline what is pure (reading a text, the null classifier, one record's counting), and nothing that
batches, sends, stores, retries or restores.
"""

from __future__ import annotations

import heapq
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from alerts import AlertEvent, Headline
from streams.alert_rules import alert_config
from streams.archive.memory import MemoryArchive
from streams.archive.protocol import Outcome
from streams.engine.runs import Record
from streams.errors import Reject
from streams.feeds.fieldmap import FieldMap, news_from_record
from streams.records import VERSION, HeadScore, MentionBatch, MentionItem, Position, Scored, Story
from streams.settings import Settings
from streams.stages.counting import Counting
from streams.stages.drafts import end_of_replay
from streams.stages.reader import TextReader
from streams.stages.watch_partition import WatchPartition
from streams.stages.watch_rows import SeriesRow
from streams.text.profile import load_profile
from tests.chaos.feed import null_classifiers
from tests.stages.finance_items import sentiment

__all__ = ["Facts", "Logs", "Outcomes", "reference"]

Logs = Sequence[tuple[str, Sequence[Sequence[Record]]]]
"""The incarnations of the topic news, oldest first: (epoch, records by partition)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is stored of one version of an item."""

    position: tuple[str, int, int]
    title: str
    seen_ms: int
    language: str
    series: tuple[str, ...]
    sentiment: tuple[object, ...] | None
    topic: str
    late: bool
    is_item: bool


@dataclass(slots=True)
class Outcomes:
    """The end of it all. Series rows are states as bytes; alerts are keyed by id and revision,
    hours by signal, series and start.

    `stored_twice` are documents beside the one that a version may have; `records` those of the topic news that are
    no end of a replay.
    """

    records: int = 0
    versions: dict[tuple[str, str], Facts] = field(default_factory=dict)
    stored_twice: int = 0
    duplicates: set[tuple[str, int, int]] = field(default_factory=set)
    rejects: set[str] = field(default_factory=set)
    rows: dict[str, bytes] = field(default_factory=dict)
    alerts: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    notifications: set[tuple[str, int]] = field(default_factory=set)
    hours: dict[tuple[str, str, int], dict[str, Any]] = field(default_factory=dict)


async def reference(settings: Settings, logs: Logs) -> Outcomes:
    """The outcome of `logs`, each record read once."""
    counting = _Counting(settings)
    for epoch, partitions in logs:
        for partition, record in _in_order(partitions):
            await counting.take(epoch, partition, record)
    return await counting.outcomes()


def _in_order(partitions: Sequence[Sequence[Record]]) -> Iterator[tuple[int, Record]]:
    """The records of all partitions by their time, as one careful reader would take them."""
    tagged = [[(record.timestamp_ms, number, record) for record in log] for number, log in enumerate(partitions)]
    for _, number, record in heapq.merge(*tagged, key=lambda entry: entry[:2]):
        yield number, record


class _Counting:
    """The one reader, archivist and counter."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.profile = load_profile(settings.profile)
        self.reader = TextReader.build(self.profile, watchlists=settings.watchlists)
        self.classifiers = null_classifiers(settings.profile)
        self.counting = Counting(self.profile)
        self.config = alert_config(settings, self.profile)
        self.archive = MemoryArchive()
        self.watch = [
            WatchPartition(self.config, None, [], reports_hours=True) for _ in range(settings.mentions_partitions)
        ]
        self.offsets = [0] * settings.mentions_partitions
        self.found = Outcomes()
        self.events: list[AlertEvent] = []
        self.scored: dict[tuple[str, str], Scored] = {}

    async def take(self, epoch: str, partition: int, record: Record) -> None:
        end_ms = end_of_replay(record)
        if end_ms is not None:
            self._count(epoch, partition, end_ms, None)
            return
        self.found.records += 1
        try:
            item = self._read(Position(epoch, partition, record.offset), record)
        except (Reject, IndexError):
            self.found.rejects.add(f"news:{partition}:{record.offset}:{epoch}")
            return
        [outcome] = await self.archive.write_items([item])
        if outcome is Outcome.DUPLICATE:
            self.found.duplicates.add((epoch, partition, record.offset))
        else:
            self.scored[item.news.id, item.news.content] = item
        self._count(epoch, partition, item.news.seen_ms, item if outcome is Outcome.ADDED else None)

    def _read(self, position: Position, record: Record) -> Scored:
        now_ms = record.timestamp_ms  # of the feed: what is far in its future is far in ours
        news = news_from_record(record.value or b"", record.timestamp_ms, FieldMap.default(), now_ms)
        item = self.reader.read(news)
        heads = self._classify(item.language, item.title)
        news.title, news.text = item.title, item.text
        published = news.published_ms
        return Scored(
            news=news, position=position, scored_ms=0, language=item.language, heads=heads,
            series=self.counting.series_of(news.source, heads, item.entities, item.watchlists),
            entities=item.entities, watchlists=item.watchlists, story=Story(""), signature=f"{item.signature:016x}",
            model="", model_version="",
            late=published is not None and news.seen_ms - published > self.settings.late_after_hours * 3_600_000,
        )  # fmt: skip

    def _classify(self, language: str, title: str) -> dict[str, HeadScore]:
        classifier = self.classifiers.get(language)
        if classifier is None:
            return {}
        heads = classifier.classify([title])
        chances = dict(zip(classifier.labels["sentiment"], heads["sentiment"][0].tolist(), strict=True))
        negative, neutral, positive = (round(chances[name], 4) for name in ("negative", "neutral", "positive"))
        label = max(("negative", "neutral", "positive"), key=lambda name: round(chances[name], 4))
        topics = heads["topic"][0]
        topic = HeadScore(classifier.labels["topic"][int(topics.argmax())], round(float(topics.max()), 4))
        return {"sentiment": sentiment(label, negative, neutral, positive), "topic": topic}

    def _count(self, epoch: str, partition: int, progress_ms: int, item: Scored | None) -> None:
        """Every mentions partition hears of the progress; those of the item's series, of the item too."""
        counted: Mapping[int, tuple[str, ...]] = {}
        if item is not None and item.is_counted:
            targets = [(zlib.crc32(name.encode()) % len(self.watch), name) for name in item.series]
            counted = {own: tuple(name for at, name in targets if at == own) for own, _ in targets}
        for number, watch in enumerate(self.watch):
            items = (_mention(item, counted[number]),) if item is not None and number in counted else ()
            batch = MentionBatch(VERSION, epoch, partition, self.settings.partitions, progress_ms, items)
            self.events += watch.apply(Record(self.offsets[number], None, msgspec.json.encode(batch), 0))
            self.offsets[number] += 1

    async def outcomes(self) -> Outcomes:
        found = self.found
        for key, item in self.scored.items():
            [earliest] = await self.archive.items_by_id([item.news.id])
            found.versions[key] = _facts(item, is_item=earliest.news.content == item.news.content)
        for watch in self.watch:
            for hour in map(asdict, watch.take_hours()):
                found.hours[hour.pop("signal"), hour.pop("series"), hour.pop("start_ms")] = hour
            for name, row in watch.take_rows().items():
                if name.startswith("s/"):
                    found.rows[name.removeprefix("s/")] = bytes(SeriesRow.of(row).state)
        for event in self.events:
            items = await self.archive.items_by_id([item.id for item in event.top_items])
            told = {item.news.id: Headline(item.news.title, item.news.source, item.news.url) for item in items}
            found.alerts[event.id, event.revision] = json.loads(event.with_headlines(told).to_json())
        return found


def _mention(item: Scored, series: tuple[str, ...]) -> MentionItem:
    hits = next(iter(item.series.values()))  # the null classifier judges no entity
    return MentionItem(item.position.offset, item.news.id, item.news.seen_ms, int(item.signature, 16), hits, series)


def _facts(item: Scored, *, is_item: bool) -> Facts:
    place, tone, topic = item.position, item.heads.get("sentiment"), item.heads.get("topic")
    return Facts(
        position=(place.epoch, place.partition, place.offset),
        title=item.news.title,
        seen_ms=item.news.seen_ms,
        language=item.language,
        series=tuple(item.series),
        sentiment=(tone.label, *tone.probabilities.values()) if tone else None,
        topic=topic.label if topic else "",
        late=item.late,
        is_item=is_item,
    )
