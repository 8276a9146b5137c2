"""Documents of the archive: ECS fields for every tool, and `moodwire.*` for what is ours.

`moodwire.current` holds the scores that dashboards use: those of the first scoring until the item is scored
again, then the newest; the ones before are kept in `moodwire.earlier`. `moodwire.item` is true for the earliest
version of an id. A document with `moodwire.stub` is a version that was found to be a revision before its own
writer had stored it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from streams.archive.protocol import StoredAlert, StoredNotification
from streams.archive.words import mixed_words
from streams.records import EntityMention, HeadScore, News, Position, Scored, SeriesHits, Story

__all__ = [
    "ItemDocument",
    "Scores",
    "alert_document",
    "alert_of",
    "document_id",
    "first_scored_of",
    "item_document",
    "notification_document",
    "notification_of",
    "scored_of",
    "scores_of",
    "stub_document",
]

ECS_VERSION = "8.17.0"
_encoder = msgspec.json.Encoder()


class Ecs(msgspec.Struct, frozen=True):
    version: str = ECS_VERSION


class Event(msgspec.Struct, omit_defaults=True):
    id: str
    dataset: str
    provider: str = ""
    kind: str = msgspec.field(default="")
    module: str = ""
    created: int | None = None
    ingested: int | None = None


class Url(msgspec.Struct):
    full: str


class StoryFields(msgspec.Struct, omit_defaults=True):
    id: str
    duplicate_of: str | None = None
    similar: dict[str, int] = msgspec.field(default_factory=dict)


class PositionFields(msgspec.Struct):
    epoch: str
    partition: int
    offset: int


class EntityScore(msgspec.Struct):
    """What it said of one of the item's entities, by head."""

    id: str
    heads: dict[str, HeadScore]


class Scores(msgspec.Struct, omit_defaults=True):
    """What one model said of an item, and where the item counts by it; not `judged` where none speaks its language.

    `hits` are by signal those of `series` in which the item hits it, `chances` the probabilities in the same order;
    `score` is that of the first head with a direction.
    """

    scored: int
    judged: bool = False
    model: str = ""
    model_version: str = ""
    score: float | None = None
    heads: dict[str, HeadScore] = {}
    entities: tuple[EntityScore, ...] = ()
    series: tuple[str, ...] = ()
    hits: dict[str, list[str]] = {}
    chances: dict[str, list[float]] = {}

    def series_hits(self) -> SeriesHits:
        """The series as a `Scored` holds them."""
        found: SeriesHits = {name: {} for name in self.series}
        for signal, names in self.hits.items():
            for name, chance in zip(names, self.chances.get(signal, ()), strict=True):
                found[name][signal] = chance
        return found


class Moodwire(msgspec.Struct, omit_defaults=True):
    id: str
    content: str
    item: bool
    source: str
    language: str
    story: StoryFields
    position: PositionFields
    signature: str
    current: Scores
    text: str = ""
    words: str = ""
    """Words of title and text that stand without spaces between them; see `streams.archive.words`."""
    published: int | None = None
    declared_language: str | None = None
    declared_entities: tuple[str, ...] = ()
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    entities: tuple[EntityMention, ...] = ()
    watchlists: tuple[str, ...] = ()
    late: bool = False
    earlier: tuple[Scores, ...] = ()
    schemas: tuple[int, int] = (1, 1)


class ItemDocument(msgspec.Struct, omit_defaults=True):
    timestamp: int = msgspec.field(name="@timestamp")
    message: str
    event: Event
    moodwire: Moodwire
    ecs: Ecs | None = None
    url: Url | None = None
    tags: tuple[str, ...] = ()
    labels: dict[str, str] = msgspec.field(default_factory=dict)


def document_id(item_id: str, content: str) -> str:
    return f"{item_id}.{content}"


def scores_of(item: Scored, scored_ms: int) -> Scores:
    """Returns what its model said of an item."""
    hits: dict[str, list[str]] = {}
    chances: dict[str, list[float]] = {}
    for name, found in item.series.items():
        for signal, chance in found.items():
            hits.setdefault(signal, []).append(name)
            chances.setdefault(signal, []).append(chance)
    return Scores(
        scored=scored_ms,
        judged=bool(item.heads),
        model=item.model,
        model_version=item.model_version,
        score=item.score,
        heads=item.heads,
        entities=tuple([EntityScore(one.id, one.heads) for one in item.entities if one.heads]),
        series=tuple(item.series),
        hits=hits,
        chances=chances,
    )


def with_scores(item: Scored, scores: Scores) -> Scored:
    """The item when these are its scores."""
    judged = {one.id: one.heads for one in scores.entities}
    return msgspec.structs.replace(
        item,
        scored_ms=scores.scored,
        heads=scores.heads,
        series=scores.series_hits(),
        entities=tuple(msgspec.structs.replace(one, heads=judged.get(one.id, {})) for one in item.entities),
        model=scores.model,
        model_version=scores.model_version,
    )


def item_document(item: Scored, *, is_item: bool) -> bytes:
    """The document of a version, as JSON on one line."""
    news = item.news
    return _encoder.encode(
        ItemDocument(
            timestamp=news.seen_ms,
            message=news.title,
            ecs=Ecs(),
            event=Event(
                id=news.id, dataset="moodwire.items", provider=news.source, kind="event", module="moodwire",
                created=news.seen_ms, ingested=item.scored_ms,
            ),
            url=Url(news.url) if news.url else None,
            tags=item.watchlists,
            labels={"language": item.language} if item.language else {},
            moodwire=Moodwire(
                id=news.id,
                content=news.content,
                item=is_item,
                source=news.source,
                language=item.language,
                story=StoryFields(item.story.id, item.story.duplicate_of, item.story.similar),
                position=PositionFields(item.position.epoch, item.position.partition, item.position.offset),
                signature=item.signature,
                current=scores_of(item, item.scored_ms),
                text=news.text,
                words=mixed_words(news.title, news.text),
                published=news.published_ms,
                declared_language=news.language,
                declared_entities=news.entities,
                extra=news.extra,
                entities=tuple(msgspec.structs.replace(one, heads={}) if one.heads else one for one in item.entities),
                watchlists=item.watchlists,
                late=item.late,
                schemas=(item.schema, news.schema),
            ),
        )
    )  # fmt: skip


def stub_document(item_id: str, content: str, seen_ms: int) -> dict[str, Any]:
    """Stands for a version that is known to be a revision and is not stored yet."""
    return {"@timestamp": seen_ms, "moodwire": {"id": item_id, "content": content, "item": False, "stub": True}}


def scored_of(source: Mapping[str, Any]) -> Scored:
    """The item back, with its current scores; `source` is a document that is no stub."""
    document = msgspec.convert(source, ItemDocument)
    own, scores = document.moodwire, document.moodwire.current
    schema, news_schema = own.schemas
    item = Scored(
        news=News(
            id=own.id,
            content=own.content,
            title=document.message,
            source=own.source,
            seen_ms=document.timestamp,
            text=own.text,
            url=document.url.full if document.url else "",
            published_ms=own.published,
            language=own.declared_language,
            entities=own.declared_entities,
            extra=own.extra,
            schema=news_schema,
        ),
        position=Position(own.position.epoch, own.position.partition, own.position.offset),
        scored_ms=scores.scored,
        language=own.language,
        heads=scores.heads,
        series={},
        entities=own.entities,
        watchlists=own.watchlists,
        story=Story(own.story.id, own.story.duplicate_of, own.story.similar),
        signature=own.signature,
        model=scores.model,
        model_version=scores.model_version,
        late=own.late,
        schema=schema,
    )
    return with_scores(item, scores)


def first_scored_of(source: Mapping[str, Any]) -> Scored:
    """The item back, with the scores that it was counted with, whatever it was given since."""
    earlier = msgspec.convert(source, ItemDocument).moodwire.earlier
    item = scored_of(source)
    return with_scores(item, earlier[0]) if earlier else item


def alert_document(alert: StoredAlert) -> bytes:
    """`moodwire.alert.detail` is the event as JSON for people and scripts, `body` the very bytes."""
    body = alert.body.decode()
    return _encoder.encode(
        {
            "@timestamp": alert.updated_ms,
            "ecs": Ecs(),
            "event": Event(alert.id, "moodwire.alerts", alert.series, "alert", "moodwire"),
            "message": f"{alert.series}: {alert.signal} {alert.rule} {alert.state} ({alert.severity})",
            "moodwire": {
                "alert": {
                    "id": alert.id,
                    "revision": alert.revision,
                    "signal": alert.signal,
                    "rule": alert.rule,
                    "series": alert.series,
                    "state": alert.state,
                    "severity": alert.severity,
                    "onset": alert.onset_ms,
                    "updated": alert.updated_ms,
                    "observed": _observed(alert.body),
                    "body": body,
                }
            },
        }
    )


def _observed(body: bytes) -> dict[str, Any]:
    """Numbers of the event that charts want; nothing when the event has none."""
    event = msgspec.json.decode(body)
    observed = event.get("observed") if isinstance(event, dict) else None
    return {key: observed[key] for key in ("hits", "total") if key in observed} if isinstance(observed, dict) else {}


def alert_of(source: Mapping[str, Any]) -> StoredAlert:
    """The state back."""
    own = source["moodwire"]["alert"]
    return StoredAlert(
        own["id"], own["revision"], own["signal"], own["rule"], own["series"], own["state"], own["severity"],
        own["onset"], own["updated"], own["body"].encode(),
    )  # fmt: skip


def notification_document(notification: StoredNotification) -> bytes:
    kind = "alert" if notification.problem else "event"
    told = notification.state + (f": {notification.problem}" if notification.problem else "")
    return _encoder.encode(
        {
            "@timestamp": notification.updated_ms,
            "ecs": Ecs(),
            "event": Event(notification.id, "moodwire.notifications", notification.channel, kind, "moodwire"),
            "message": f"{notification.channel}: {told}",
            "moodwire": {
                "notification": {
                    "id": notification.id,
                    "alert_id": notification.alert_id,
                    "alert_revision": notification.alert_revision,
                    "channel": notification.channel,
                    "state": notification.state,
                    "attempts": notification.attempts,
                    "since": notification.since_ms,
                    "updated": notification.updated_ms,
                    "problem": notification.problem,
                    "revision": notification.revision,
                }
            },
        }
    )


def notification_of(source: Mapping[str, Any]) -> StoredNotification:
    """The notification back."""
    own = source["moodwire"]["notification"]
    return StoredNotification(
        own["id"], own["alert_id"], own["alert_revision"], own["channel"], own["state"], own["attempts"], own["since"],
        own["updated"], own["problem"], own["revision"],
    )  # fmt: skip
