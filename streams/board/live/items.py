"""A scored item as the stream shows it: that of the API, with the story as far as the item itself knows it."""

from __future__ import annotations

import msgspec

from streams.board.shapes.items import Entity, HeadAnswer, Item, StoryAnswer
from streams.records import EntityMention, Scored

__all__ = ["item_json"]


def item_json(item: Scored) -> bytes:
    """Returns the item as JSON."""
    return msgspec.json.encode(_shown(item))


def _shown(item: Scored) -> Item:
    news, at = item.news, item.position
    return Item(
        id=news.id,
        content=news.content,
        title=news.title,
        text=news.text,
        url=news.url,
        source=news.source,
        language=item.language,
        seen_ms=max(news.seen_ms, 0),
        published_ms=news.published_ms,
        heads={
            name: HeadAnswer(label=one.label, probability=one.probability, probabilities=one.probabilities)
            for name, one in item.heads.items()
        },
        entities=[_entity(one) for one in item.entities],
        watchlists=list(item.watchlists),
        series=list(item.series),
        story=StoryAnswer(id=item.story.id, size=1, publishers=[news.source]),
        snippet="",
        position=(at.epoch, at.partition, at.offset),
        model=item.model,
        model_version=item.model_version,
    )


def _entity(mention: EntityMention) -> Entity:
    said = next(iter(mention.heads.values()), None)
    return Entity(
        id=mention.id,
        name=mention.name,
        label=said.label if said is not None else None,
        score=said.score if said is not None else None,
    )
