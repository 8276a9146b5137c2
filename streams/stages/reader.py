"""Reading one item: everything that is known of a text before a classifier sees it. Pure, about 60 µs an item."""

from __future__ import annotations

from dataclasses import dataclass

from streams.records import EntityMention

__all__ = ["ReadItem", "TextReader"]


@dataclass(frozen=True, slots=True)
class ReadItem:
    """A cleaned item with its language (ISO 639-1), entities and watchlists."""

    title: str
    text: str
    language: str
    signature: int
    entities: tuple[EntityMention, ...]
    watchlists: tuple[str, ...]
