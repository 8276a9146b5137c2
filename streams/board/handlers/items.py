"""`/v1/items`: search, facets, and one item with its versions."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from streams.board.context import Asked
from streams.board.cursors import cursor_of, place_of
from streams.board.problem import Problem
from streams.board.reading.items import (
    FACETED,
    Place,
    facets_of,
    find_items,
    item_with_revisions,
    query_of,
    shown_items,
)
from streams.board.shapes.base import NoQuery, Page
from streams.board.shapes.items import Facets, FacetsQuery, Item, ItemsQuery, ItemWithRevisions, StoryFilter
from streams.text.heads import Of
from streams.text.profile import Profile

__all__ = ["get_facets", "get_item", "get_items"]


async def get_items(asked: Asked[ItemsQuery, None]) -> Page[Item]:
    """Returns a page of hits, the newest first."""
    archive, query = asked.board.archive, asked.query
    one = query.story is StoryFilter.ONE
    after = place_of(query, query.cursor, Place)
    found = await find_items(archive, query_of(query), query.limit, one_per_story=one, after=after)
    following = cursor_of(query, found.place) if found.place is not None else None
    counted_in = query.series if asked.board.config.collapse else ""
    return Page(items=await shown_items(archive, found.hits, counted_in), next=following)


async def get_facets(asked: Asked[FacetsQuery, None]) -> Facets:
    """Returns the counts over the newest hits; each story counts once for a value where that is asked for."""
    archive, query = asked.board.archive, asked.query
    items = await archive.faceted(replace(query_of(query), limit=FACETED))
    sentiment, subject = _facet_heads(asked.board.profile)
    one = query.story is StoryFilter.ONE
    return facets_of(items, sentiment=sentiment, subject=subject, one_per_story=one, complete=len(items) < FACETED)


def _facet_heads(profile: Profile) -> tuple[str, str]:
    """The heads of the first signal and of the first kind of series that is made of labels; empty without one."""
    signal = next(iter(profile.signals.values()), None)
    labels = [kind.head for kind in profile.series.values() if kind.of is Of.LABELS and kind.head]
    return (signal.head if signal is not None else ""), (labels[0] if labels else "")


async def get_item(asked: Asked[NoQuery, None]) -> ItemWithRevisions:
    """Returns the item with all its versions; raises `Problem` 404."""
    item_id = asked.path["id"]
    found = await item_with_revisions(asked.board.archive, item_id)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"the archive has no item {item_id!r}; it may be pruned")
    return found
