"""What found items are counted by, read from stored items without the rest of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from streams.archive.protocol import Faceted
from streams.records import Scored

__all__ = ["FIELDS", "faceted_body", "faceted_of", "faceted_source"]


class _News(msgspec.Struct):
    source: str


class _Head(msgspec.Struct):
    label: str


class _Entity(msgspec.Struct):
    id: str
    name: str


class _Story(msgspec.Struct):
    id: str


class _Body(msgspec.Struct):
    """The part of a `Scored` that is counted."""

    news: _News
    language: str
    heads: dict[str, _Head]
    story: _Story
    entities: tuple[_Entity, ...] = ()


class _Current(msgspec.Struct):
    heads: dict[str, _Head] = {}


class _Own(msgspec.Struct):
    source: str
    language: str
    story: _Story
    current: _Current = msgspec.field(default_factory=_Current)
    entities: tuple[_Entity, ...] = ()


class _Source(msgspec.Struct):
    """The part of an Elasticsearch document that is counted."""

    moodwire: _Own


FIELDS: Final = [
    "moodwire.source", "moodwire.language", "moodwire.story.id", "moodwire.current.heads.*.label",
    "moodwire.entities.id", "moodwire.entities.name",
]  # fmt: skip
"""Of Elasticsearch's documents."""

_decoder = msgspec.msgpack.Decoder(_Body)


def faceted_of(item: Scored | _Body) -> Faceted:
    """Returns what an item is counted by."""
    return Faceted(
        item.news.source,
        item.language,
        item.story.id,
        {head: said.label for head, said in item.heads.items()},
        {entity.id: entity.name for entity in item.entities},
    )


def faceted_body(body: bytes) -> Faceted:
    """Returns it of an item as the embedded archive stores it."""
    return faceted_of(_decoder.decode(body))


def faceted_source(source: Mapping[str, Any]) -> Faceted:
    """Returns it of a document that has `FIELDS` at least."""
    own = msgspec.convert(source, _Source).moodwire
    return faceted_of(_Body(_News(own.source), own.language, own.current.heads, own.story, own.entities))
