"""Items: search, facets, one with its revisions, and feedback."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.board.shapes.base import Count, Cursor, Limit, TimeMs

__all__ = [
    "Entity", "FacetCount", "Facets", "FacetsQuery", "Feedback", "HeadAnswer", "Item", "ItemWithRevisions",
    "ItemsQuery", "Received", "StoryAnswer", "StoryFilter",
]  # fmt: skip


class StoryFilter(StrEnum):
    """Whether each story is shown by one item."""

    ONE = "one"


class FacetsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which items; empty keys do not restrict. `until_ms` is excluded."""

    q: Annotated[str, Meta(max_length=1_000, description="words that must all occur")] = ""
    series: Annotated[str, Meta(max_length=1_000, description="such as entity/AAPL")] = ""
    label: Annotated[str, Meta(max_length=200, pattern="^$|^[^:]+:.+$", description="HEAD:LABEL")] = ""
    language: Annotated[str, Meta(max_length=20)] = ""
    source: Annotated[str, Meta(max_length=500)] = ""
    since_ms: TimeMs | None = None
    until_ms: TimeMs | None = None
    story: StoryFilter | None = None


class ItemsQuery(FacetsQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which items, and which page of them."""

    limit: Limit = 50
    cursor: Cursor = ""


class HeadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one head of the classifier says: its likeliest label."""

    label: str
    probability: float
    probabilities: dict[str, float] = {}


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """A company that the item names; `label` is what is said of it, null where nothing judged that."""

    id: str
    name: str
    label: str | None
    score: float | None


class StoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The story that the item tells, with how many items tell it and who published them."""

    id: str
    size: Count
    publishers: list[str]


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A scored item. `snippet` has the words searched for between « and »; `position` is where it stood in `news`.

    `repeat_of_ms` is set where a series is asked for that did not count the item: it is when the copy of the same title
    was seen that the series had counted within the 24 hours before.
    """

    id: str
    content: str
    title: str
    text: str
    url: str
    source: str
    language: str
    seen_ms: TimeMs
    published_ms: int | None
    heads: dict[str, HeadAnswer]
    entities: list[Entity]
    watchlists: list[str]
    series: list[str]
    story: StoryAnswer
    snippet: str
    position: tuple[str, int, int]
    model: str
    model_version: str
    repeat_of_ms: TimeMs | None = None


class ItemWithRevisions(Item, frozen=True, kw_only=True):
    """An item with all its versions, the earliest first."""

    revisions: list[Item]


class FacetCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the items have this value; `label` is what people call it, of an entity its name."""

    name: str
    label: str
    count: Count


class Facets(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over the newest hits, with `story=one` of stories; `of` says how many those were.

    `complete` says that those are all hits: then a count is how many a search for its value finds.
    """

    of: Count
    complete: bool
    sentiment: list[FacetCount]
    subject: list[FacetCount]
    source: list[FacetCount]
    language: list[FacetCount]
    entity: list[FacetCount]


class Feedback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A correction: the label that a head should have given, to the item or to one entity in it."""

    head: Annotated[str, Meta(min_length=1, max_length=100)]
    label: Annotated[str, Meta(min_length=1, max_length=200)]
    entity: Annotated[str, Meta(max_length=200)] | None = None
    note: Annotated[str, Meta(max_length=2_000)] = ""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent is kept; `id` names it."""

    id: str
