"""Search of items: a page of hits, each story once where asked for, counts by facet, and one item with its versions.

    archive.search, page by page ─► stories shown before left out ─► archive.story_members ─► Item

A page ends after `SCANNED` hits, so that a query of which all hits are of one story answers too.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from msgspec import structs

from streams.archive.protocol import Archive, Faceted, Hit, Query, StoryMember
from streams.board.reading.repeats import repeats_of
from streams.board.shapes.items import (
    Entity,
    FacetCount,
    Facets,
    FacetsQuery,
    HeadAnswer,
    Item,
    ItemWithRevisions,
    StoryAnswer,
)
from streams.records import EntityMention, Scored

__all__ = [
    "FACETED",
    "FoundItems",
    "Place",
    "facets_of",
    "find_items",
    "item_of",
    "item_with_revisions",
    "query_of",
    "shown_items",
]

FACETED: Final = 2_000
"""Newest hits that facets are counted over."""
SCANNED: Final = 2_000
_CHUNK: Final = 200
_STORIES_KEPT: Final = 120
"""Stories of the pages before that a cursor remembers, in 4 bytes each: it stays below 1,000 characters."""
_PUBLISHERS: Final = 20
_NAMES: Final = 50
_FACETS: Final = ("sentiment", "subject", "source", "language", "entity")

Place = tuple[int, str, tuple[int, ...]]
"""Time and id of the last hit that was looked at, and the stories that were shown, as `story_mark`."""


@dataclass(frozen=True, slots=True)
class FoundItems:
    """A page of hits; `place` is where the next one begins, None at the end."""

    hits: Sequence[Hit]
    place: Place | None


def query_of(asked: FacetsQuery) -> Query:
    """Returns the search that the keys ask for, of any number of items."""
    head, _, label = asked.label.partition(":")
    return Query(
        asked.q,
        series=asked.series,
        language=asked.language,
        label=(head, label) if asked.label else None,
        source=asked.source,
        since_ms=asked.since_ms,
        until_ms=asked.until_ms,
    )


async def find_items(
    archive: Archive, query: Query, limit: int, *, one_per_story: bool, after: Place | None
) -> FoundItems:
    """Returns the next `limit` hits, the newest first; of each story the newest alone where that is asked for."""
    shown = dict.fromkeys(after[2] if after is not None else ())
    before = (after[0], after[1]) if after is not None else None
    hits: list[Hit] = []
    scanned = 0
    while scanned < SCANNED:
        size = max(_CHUNK, limit) if one_per_story else limit + 1
        chunk = await archive.search(replace(query, limit=size, before=before))
        for hit in chunk:
            if len(hits) == limit:
                return FoundItems(hits, (*_required(before), tuple(shown)[-_STORIES_KEPT:]))
            before = hit.item.news.seen_ms, hit.item.news.id
            mark = story_mark(hit.item.story.id)
            if one_per_story and mark in shown:
                continue
            hits.append(hit)
            if one_per_story:
                shown[mark] = None
        scanned += len(chunk)
        if len(chunk) < size:
            return FoundItems(hits, None)
    return FoundItems(hits, (*_required(before), tuple(shown)[-_STORIES_KEPT:]))


def _required(before: tuple[int, str] | None) -> tuple[int, str]:
    assert before is not None, "a hit was looked at"
    return before


def story_mark(story_id: str) -> int:
    """Returns 32 bits that stand for a story: two of a few hundred are alike once in 100,000 pages."""
    return zlib.crc32(story_id.encode())


async def shown_items(archive: Archive, hits: Sequence[Hit], counted_in: str = "") -> list[Item]:
    """Returns the hits with how many items tell their stories, and who published those.

    `counted_in` is a series: the items that it did not count name the copy that it counted.
    """
    members = await archive.story_members(sorted({hit.item.story.id for hit in hits}))
    repeats = await repeats_of(archive, [hit.item for hit in hits], members, counted_in) if counted_in else {}
    shown = [item_of(hit.item, hit.snippet, members) for hit in hits]
    return [structs.replace(one, repeat_of_ms=repeats[one.id]) if one.id in repeats else one for one in shown]


def item_of(item: Scored, snippet: str, members: Mapping[str, Sequence[StoryMember]]) -> Item:
    """Returns the item as the API shows it; `members` are those of stories, of which the item itself is always one."""
    return Item(**_fields(item, snippet, members))


def _fields(item: Scored, snippet: str, members: Mapping[str, Sequence[StoryMember]]) -> dict[str, Any]:
    news, position = item.news, item.position
    return {
        "id": news.id,
        "content": news.content,
        "title": news.title,
        "text": news.text,
        "url": news.url,
        "source": news.source,
        "language": item.language,
        "seen_ms": max(news.seen_ms, 0),
        "published_ms": news.published_ms,
        "heads": {
            name: HeadAnswer(label=one.label, probability=one.probability, probabilities=one.probabilities)
            for name, one in item.heads.items()
        },
        "entities": [_entity(one) for one in item.entities],
        "watchlists": list(item.watchlists),
        "series": list(item.series),
        "story": _story(item, members.get(item.story.id, ())),
        "snippet": snippet,
        "position": (position.epoch, position.partition, position.offset),
        "model": item.model,
        "model_version": item.model_version,
    }


def _entity(mention: EntityMention) -> Entity:
    head = next(iter(mention.heads.values()), None)
    return Entity(
        id=mention.id,
        name=mention.name,
        label=head.label if head is not None else None,
        score=head.score if head is not None else None,
    )


def _story(item: Scored, members: Sequence[StoryMember]) -> StoryAnswer:
    publishers = list(dict.fromkeys(one.source for one in members)) or [item.news.source]
    return StoryAnswer(id=item.story.id, size=max(len(members), 1), publishers=publishers[:_PUBLISHERS])


async def item_with_revisions(archive: Archive, item_id: str) -> ItemWithRevisions | None:
    """Returns the item with all its versions, None where there is none."""
    versions = await archive.revisions(item_id)
    if not versions:
        return None
    members = await archive.story_members(sorted({one.story.id for one in versions}))
    revisions = [item_of(one, one.news.title, members) for one in versions]
    return ItemWithRevisions(**_fields(versions[0], versions[0].news.title, members), revisions=revisions)


def facets_of(
    items: Iterable[Faceted], *, sentiment: str, subject: str, one_per_story: bool = False, complete: bool = True
) -> Facets:
    """Returns the counts; `sentiment` and `subject` are the heads of those facets, empty for none.

    With `one_per_story` a value counts the stories that have an item with it, as a search for the value shows them.
    """
    told: dict[str, defaultdict[str, set[str | int]]] = {name: defaultdict(set) for name in _FACETS}
    names: dict[str, str] = {}
    everything: set[str | int] = set()
    for number, item in enumerate(items):
        teller = item.story if one_per_story else number
        everything.add(teller)
        names |= item.entities
        for facet, value in _values(item, sentiment, subject):
            told[facet][value].add(teller)
    counts = {name: Counter({value: len(tellers) for value, tellers in found.items()}) for name, found in told.items()}
    listed = {name: _listed(counted, names if name == "entity" else {}) for name, counted in counts.items()}
    return Facets(of=len(everything), complete=complete, **listed)


def _values(item: Faceted, sentiment: str, subject: str) -> Iterator[tuple[str, str]]:
    """Yields each facet that the item has a value of, with the value."""
    yield "source", item.source
    yield "language", item.language
    yield from (("entity", entity) for entity in item.entities)
    for facet, head in (("sentiment", sentiment), ("subject", subject)):
        if head in item.labels:
            yield facet, item.labels[head]


def _listed(counted: Counter[str], names: Mapping[str, str]) -> list[FacetCount]:
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return [FacetCount(name=name, label=names.get(name) or name, count=count) for name, count in ordered[:_NAMES]]
