"""Index templates: mappings that Kibana likes (keyword, date, text with a keyword beside it), settings, aliases.

Every template is strict about what is ours and deaf to the rest: `dynamic: false` stores a field that has no
mapping and indexes nothing of it, so no stranger's field can break or swell an index.
"""

from __future__ import annotations

from typing import Any

from streams.archive.elastic.names import OVERFLOW, Names
from streams.archive.elastic.options import ElasticOptions

__all__ = ["DYNAMIC", "FLUSH_AGE", "REFRESH", "TEMPLATE_VERSION", "templates", "writing_out"]

TEMPLATE_VERSION = 9
"""Raised with every change of a template: a start with a newer version writes them anew."""
PRIORITY = 300

KEYWORD = {"type": "keyword", "ignore_above": 1024}
DATE = {"type": "date", "format": "strict_date_optional_time||epoch_millis"}
LONG = {"type": "long"}
INTEGER = {"type": "integer"}
FLOAT = {"type": "float"}
BOOLEAN = {"type": "boolean"}
UNREAD = {"type": "object", "enabled": False}
"""Kept as it is, neither parsed nor indexed."""
STORED = {"type": "keyword", "index": False, "doc_values": False}


def _text(keyword_length: int = 512) -> dict[str, Any]:
    keyword = {"type": "keyword", "ignore_above": keyword_length}
    return {"type": "text", "analyzer": "moodwire_words", "fields": {"keyword": keyword}}


def _object(**fields: Any) -> dict[str, Any]:
    return {"dynamic": False, "properties": fields}


def _ecs() -> dict[str, Any]:
    return {
        "@timestamp": DATE,
        "ecs": _object(version=KEYWORD),
        "event": _object(
            id=KEYWORD, kind=KEYWORD, module=KEYWORD, dataset=KEYWORD, provider=KEYWORD, created=DATE, ingested=DATE
        ),
        "message": _text(),
    }


GROWING = {"type": "object", "dynamic": True}
"""A field for each head or signal of the profile; `DYNAMIC` says of what type."""

DYNAMIC = [
    {"head_label": {"path_match": "moodwire.current.heads.*.label", "mapping": KEYWORD}},
    {"head_number": {"path_match": "moodwire.current.heads.*", "match_mapping_type": "double", "mapping": FLOAT}},
    {"head_whole_number": {"path_match": "moodwire.current.heads.*", "match_mapping_type": "long", "mapping": FLOAT}},
    {"hits": {"path_match": "moodwire.current.hits.*", "mapping": KEYWORD}},
]
"""How the fields of `GROWING` objects are indexed."""

ITEM = _ecs() | {
    "tags": KEYWORD,
    "labels": _object(language=KEYWORD),
    "url": _object(full={"type": "keyword", "ignore_above": 2048}),
    "moodwire": _object(
        id=KEYWORD,
        content=KEYWORD,
        item=BOOLEAN,
        stub=BOOLEAN,
        source=KEYWORD,
        language=KEYWORD,
        declared_language=KEYWORD,
        text={"type": "text", "analyzer": "moodwire_words"},
        words={"type": "text", "analyzer": "moodwire_words", "index_options": "docs", "norms": False},
        published=DATE,
        late=BOOLEAN,
        watchlists=KEYWORD,
        entities=_object(id=KEYWORD, name=_text(), relevance=FLOAT, place=INTEGER),
        story=_object(id=KEYWORD, duplicate_of=KEYWORD, similar=UNREAD),
        signature=KEYWORD,
        position=_object(epoch=KEYWORD, partition=INTEGER, offset=LONG),
        current=_object(
            judged=BOOLEAN,
            model=KEYWORD,
            model_version=KEYWORD,
            scored=DATE,
            score=FLOAT,
            heads=GROWING,
            entities=_object(id=KEYWORD, heads=UNREAD),
            series=KEYWORD,
            hits=GROWING,
            chances=UNREAD,
        ),
        earlier=UNREAD,
        extra=UNREAD,
    ),
}

REGISTRY = {"seen": DATE, "revised": BOOLEAN, "versions": UNREAD}

SIGHTING = {"@timestamp": DATE, "moodwire": _object(id=KEYWORD, content=KEYWORD, item_seen=DATE)}

ALERT = _ecs() | {
    "moodwire": _object(
        alert=_object(
            id=KEYWORD,
            revision=LONG,
            signal=KEYWORD,
            rule=KEYWORD,
            series=KEYWORD,
            state=KEYWORD,
            severity=KEYWORD,
            onset=DATE,
            updated=DATE,
            observed=_object(hits=FLOAT, total=FLOAT),
            body=STORED,
        )
    )
}

NOTIFICATION = _ecs() | {
    "moodwire": _object(
        notification=_object(
            id=KEYWORD,
            alert_id=KEYWORD,
            alert_revision=LONG,
            channel=KEYWORD,
            state=KEYWORD,
            attempts=LONG,
            since=DATE,
            updated=DATE,
            problem=_text(),
            revision=LONG,
        )
    )
}

DECISION = _ecs() | {
    "moodwire": _object(
        decision=_object(
            place=LONG,
            id=KEYWORD,
            kind=KEYWORD,
            by=KEYWORD,
            target=KEYWORD,
            sent=DATE,
            decided=DATE,
            outcome=KEYWORD,
            version=LONG,
            detail=_text(),
            body=STORED,
        )
    )
}

VIEW = {
    "moodwire": _object(view=_object(kind=KEYWORD, id=KEYWORD, version=LONG, place=LONG, gone=BOOLEAN, body=STORED))
}

HOUR = {
    "@timestamp": DATE,
    "moodwire": _object(
        hour=_object(
            signal=KEYWORD,
            series=KEYWORD,
            total=LONG,
            hits=LONG,
            expected={"type": "double"},
            excess={"type": "double"},
            low=LONG,
            high=LONG,
        )
    ),
}

REFRESH = "5s"
"""How often Elasticsearch makes a segment of what came. Left to itself it waits, where nobody searches, until its
memory is full: then one of tens of thousands of items, and those who write wait seconds for it."""

FLUSH_AGE = "10m"
"""How often Elasticsearch syncs a shard's segments to disk, which holds up those who write. It does it every minute
unless told otherwise; a shard that comes back after a crash replays at most so much of its log."""

_SYNCING = {"translog": {"flush_threshold_age": FLUSH_AGE}}

ANALYSIS = {
    "tokenizer": {
        "moodwire_words": {"type": "char_group", "tokenize_on_chars": ["whitespace", "punctuation", "symbol"]}
    },
    "analyzer": {
        "moodwire_words": {
            "type": "custom",
            "tokenizer": "moodwire_words",
            "filter": ["lowercase", "asciifolding"],
        }
    },
}
"""Words as `streams.archive.words` cuts a text with spaces: at everything that is no letter and no digit. Words of
texts without spaces are made there, and are in `moodwire.words`."""


def templates(names: Names, options: ElasticOptions, *, lifecycle: str = "") -> dict[str, dict[str, Any]]:
    """Index templates by name. `lifecycle` names an ILM policy for the daily indices."""
    quiet = _settings(options)
    busy = quiet | writing_out(options)
    daily = busy | ({"index.lifecycle.name": lifecycle} if lifecycle else {})
    aliases = {names.items: {"filter": {"term": {"moodwire.item": True}}}, names.versions: {}}
    made = {
        f"{names.prefix}items": _template([names.days], daily, ITEM, aliases),
        f"{names.prefix}hours": _template([names.hour_days], daily, HOUR, {names.hours: {}}),
        f"{names.prefix}registry": _template([names.registry], busy, REGISTRY),
        f"{names.prefix}sightings": _template([names.sightings], busy, SIGHTING),
        f"{names.prefix}alerts": _template([names.alerts, names.alert_states], quiet, ALERT),
        f"{names.prefix}notifications": _template([names.notifications], quiet, NOTIFICATION),
        f"{names.prefix}decisions": _template([names.decisions], quiet, DECISION),
        f"{names.prefix}views": _template([names.views], quiet, VIEW),
    }
    if lifecycle:  # what is outside the retention is of any age: no policy may delete it by its index's
        above = {"priority": PRIORITY + 1}
        made[f"{names.prefix}overflow"] = _template([names.of_day(OVERFLOW)], busy, ITEM, aliases) | above
        old_hours = _template([names.hours_of_day(OVERFLOW)], busy, HOUR, {names.hours: {}})
        made[f"{names.prefix}hours-overflow"] = old_hours | above
    return made


def _settings(options: ElasticOptions) -> dict[str, Any]:
    settings: dict[str, Any] = {"analysis": ANALYSIS}
    if options.shards:
        settings |= {"number_of_shards": options.shards, "number_of_replicas": options.replicas, **_SYNCING}
    return settings


def writing_out(options: ElasticOptions) -> dict[str, Any]:
    """The settings of a busy index that say how often segments are made and synced; serverless decides itself."""
    return {"refresh_interval": REFRESH, **_SYNCING} if options.shards else {}


def _template(
    patterns: list[str], settings: dict[str, Any], fields: dict[str, Any], aliases: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "index_patterns": patterns,
        "priority": PRIORITY,
        "version": TEMPLATE_VERSION,
        "_meta": {"managed_by": "moodwire"},
        "template": {
            "settings": settings,
            "mappings": {
                "dynamic": False,
                "date_detection": False,
                "dynamic_templates": DYNAMIC,
                "properties": fields,
            },
            "aliases": aliases or {},
        },
    }
