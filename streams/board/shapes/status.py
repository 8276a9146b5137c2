"""What the header of the page shows."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from streams.board.shapes.base import Count, Share, TimeMs
from streams.text.heads import Of

__all__ = ["Feeds", "HeadOf", "Kind", "Mood", "SeriesOf", "Status", "Trouble"]


class Kind(StrEnum):
    """What the namespace is for; in a replay event time follows the records."""

    LIVE = "live"
    REPLAY = "replay"


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with moodwire itself."""

    reason: str
    subject: str
    detail: str
    since_ms: TimeMs


class Mood(msgspec.Struct, frozen=True, kw_only=True):
    """Share of the items of the last `hours` that hit the signal, and the share that was expected.

    `low` and `high` bound the share; they are null before there are enough earlier items to compare with.
    """

    signal: str
    share: Share
    low: Share | None
    high: Share | None
    hits: Count
    total: Count
    hours: Count


class SeriesOf(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of series: its name in those of its series, what people call it, and what its series are made of.

    `head` is the one whose labels they are, null for others.
    """

    name: str
    label: str
    of: Of
    head: str | None


class HeadOf(msgspec.Struct, frozen=True, kw_only=True):
    """A head of the classifier and its labels, none where the model says which; `of_entities`: it judges entities."""

    name: str
    labels: list[str]
    of_entities: bool


class Feeds(msgspec.Struct, frozen=True, kw_only=True):
    """How many feeds are polled, and how many of them answered at their last poll."""

    alive: Count
    total: Count


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What the stream holds now, and what its reader may do.

    `event_ms` is the time up to which news was seen: that of the newest item. `feeds` is null where this process polls
    none. `open_alerts` wait for somebody: they are neither acknowledged nor silenced. `kinds` are those of series, in
    the order of the profile.
    """

    namespace: str
    profile: str
    kind: Kind
    now_ms: TimeMs
    event_ms: TimeMs | None
    newest_ms: TimeMs | None
    items_total: Count
    open_alerts: Count
    troubles: list[Trouble]
    mood: Mood | None
    feeds: Feeds | None
    kinds: list[SeriesOf]
    heads: list[HeadOf]
    scopes: list[str]
    version: str
