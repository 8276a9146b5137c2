"""The wire records: what travels on topics and into the archive. All times are UTC epoch milliseconds.

news -> scored ─┬─► archive          Scored
                ├─► topic scored     the public result, the same as JSON
                └─► topic mentions   MentionBatch (compact arrays)
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

__all__ = [
    "VERSION",
    "EntityMention",
    "HeadScore",
    "MentionBatch",
    "MentionItem",
    "News",
    "Position",
    "Scored",
    "SeriesHits",
    "Story",
]

VERSION = 2

Signature = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]

_Natural = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_SignalName = Annotated[str, Meta(min_length=1, max_length=100)]


class Position(msgspec.Struct, frozen=True, order=True, gc=False):
    """Where an item stands in the source topic: which incarnation, which partition, which offset."""

    epoch: str
    partition: int
    offset: int


class News(msgspec.Struct, kw_only=True, gc=False):
    """One news item, mapped and checked, before or after cleaning.

    `id` hashes the source and the source's own id (or the URL; or title and day). `content` hashes what the
    item says: the same id with other content is a revision. `published_ms` is the source's claim and may be
    wrong or absent; `seen_ms` is when moodwire's entrance first saw it and is the clock of everything.
    """

    id: str
    content: str
    title: str
    source: str
    seen_ms: int
    text: str = ""
    url: str = ""
    published_ms: int | None = None
    language: str | None = None
    entities: tuple[str, ...] = ()
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    schema: int = VERSION


class HeadScore(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What one head of the classifier says: the likeliest label, with its probability.

    `probabilities` are those of all labels, where the profile keeps them. `score` in [-1, 1] is for a head with a
    direction: the labels' values, weighed by their probabilities.
    """

    label: str
    probability: float
    probabilities: dict[str, float] = {}
    score: float | None = None


SeriesHits = dict[str, dict[str, float]]
"""The series in which an item counts, by name, each with the signals that it hits there and their probabilities."""


class EntityMention(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An issuer (or whatever the profile calls an entity) named by an item; relevance in (0, 1].

    `place` is where the title first names it: characters [start, end), None where the text alone does. `heads` are
    what the item says of this entity, by head; empty where none judged that: then what is said of the item holds.
    """

    id: str
    name: str
    relevance: float
    place: tuple[int, int] | None = None
    heads: dict[str, HeadScore] = {}


class Story(msgspec.Struct, frozen=True, gc=False):
    """The scoring worker's view of near-duplicates: `similar` counts earlier ones within each span."""

    id: str
    duplicate_of: str | None = None
    similar: dict[str, int] = msgspec.field(default_factory=dict)


class Scored(msgspec.Struct, kw_only=True, gc=False):
    """A scored item, as archived and as published on the topic `scored`.

    `heads` are what the classifier says, by head, in the order of the profile; labels that users added to a head stand
    behind it as `HEAD/LABEL`. They are empty when no classifier speaks the item's language: then it is not counted.
    `series` are those in which it counts. `signature` is 16 hex digits, equal for copies of a title: as a number it
    would exceed 2^53, above which JSON readers lose digits. `late` says that it was published long before it was seen:
    archived, but not counted. `watchlists` names those that it matched.
    """

    news: News
    position: Position
    scored_ms: int
    language: str
    heads: dict[str, HeadScore]
    series: SeriesHits
    entities: tuple[EntityMention, ...]
    watchlists: tuple[str, ...]
    story: Story
    signature: Signature
    model: str
    model_version: str
    late: bool = False
    schema: int = VERSION

    @property
    def score(self) -> float | None:
        """That of the first head with a direction; None without one."""
        return next((head.score for head in self.heads.values() if head.score is not None), None)

    @property
    def is_counted(self) -> bool:
        """Whether a classifier spoke its language and it is not late."""
        return bool(self.heads) and not self.late


class MentionItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What `watch` needs of one item in some series. `signals` are those that it hits there, with their probabilities.

    Bounds are checked where a record is decoded: anybody may write to a topic.
    """

    offset: _Natural
    id: Annotated[str, Meta(min_length=1, max_length=200)]
    seen_ms: _Natural
    signature: _Natural
    signals: Annotated[dict[_SignalName, Annotated[float, Meta(ge=0, le=1)]], Meta(max_length=100)]
    series: tuple[Annotated[str, Meta(min_length=1, max_length=1_000)], ...]


class MentionBatch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Mentions of one source partition for one mentions partition.

    `progress_ms`: every item of this source partition with an earlier `seen` stands in this or an earlier
    batch (a source's disorder within the lateness apart). `partitions` is the source topic's partition count.
    """

    schema: int
    epoch: Annotated[str, Meta(max_length=200)]
    partition: _Natural
    partitions: Annotated[int, Meta(ge=1, le=1_000_000)]
    progress_ms: _Natural
    items: tuple[MentionItem, ...] = ()
