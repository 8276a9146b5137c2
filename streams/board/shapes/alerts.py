"""Alerts: lists, one with its timeline, why it fired, and what people decide about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from streams.board.shapes.base import Count, Cursor, Limit, TimeMs

__all__ = [
    "Acknowledge", "Acknowledged", "Alert", "AlertFilter", "AlertView", "AlertsQuery", "Assign", "Decided",
    "Explanation", "Finding", "Headline", "Hour", "Inhibitor", "Look", "NoteText", "Notified", "SilencedBy",
    "TimelineEntry", "Verdict", "VerdictOf",
]  # fmt: skip


class AlertFilter(StrEnum):
    """Which alerts a list shows."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    HISTORY = "history"


class AlertsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alerts, and which page of them; `since_ms` restricts the onset."""

    state: AlertFilter = AlertFilter.OPEN
    series: Annotated[str, Meta(max_length=1_000)] = ""
    severity: Annotated[str, Meta(max_length=20)] = ""
    since_ms: TimeMs | None = None
    limit: Limit = 50
    cursor: Cursor = ""


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """Who looks after the alert, and until when."""

    by: str
    until_ms: TimeMs | None


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """An hour of the alert's series, with the band of what was expected."""

    start_ms: TimeMs
    hits: Count
    low: float | None
    high: float | None


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """An item behind the alert."""

    id: str
    title: str
    publisher: str
    url: str
    seen_ms: TimeMs | None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert in its present state. `version` is what an action names in `If-Match`.

    `last_day` has the hours of the last 24; of an alert that is over, of the 24 up to its worst moment.
    """

    id: str
    revision: int
    version: int
    signal: str
    rule: str
    series: str
    kind: str
    label: str
    state: str
    change: str
    severity: str
    onset_ms: TimeMs
    updated_ms: TimeMs
    sentence: str
    observed: dict[str, Any]
    expected: dict[str, Any]
    window: dict[str, Any]
    peak: dict[str, Any]
    p_value: float | None
    labels: dict[str, str]
    annotations: dict[str, str]
    acknowledged: Acknowledged | None
    silenced: list[str]
    inhibited: bool
    assignee: str | None
    last_day: list[Hour]
    headlines: list[Headline]


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to the alert."""

    at_ms: TimeMs
    kind: str
    by: str
    text: str


class Notified(msgspec.Struct, frozen=True, kw_only=True):
    """How far the news of the alert came to one receiver."""

    receiver: str
    status: str
    at_ms: TimeMs
    attempts: Count
    problem: str


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a window held at a time, the usual from `low` to `high`, and how likely chance alone makes it."""

    at_ms: TimeMs
    hits: Count
    total: Count
    seconds: Count
    low: int
    high: int
    p_value: float


class Inhibitor(msgspec.Struct, frozen=True, kw_only=True):
    """The alert that another one is held back by: that one has no message of its own."""

    id: str
    label: str
    severity: str


class SilencedBy(msgspec.Struct, frozen=True, kw_only=True):
    """A silence or a maintenance window that is in force; `about` says in words which alerts it is about."""

    id: str
    version: Count
    about: str
    by: str
    comment: str
    ends_ms: int
    maintenance: bool


class AlertView(Alert, frozen=True, kw_only=True):
    """An alert with all that happened to it.

    `opened` is the look that it fired at, `opening_headlines` those of then, where the archive has them. `silences` are
    those in force that match, also of an alert that is over. `inhibited_by` is null where that alert is archived no
    longer. `your_verdict` is what the caller said last that it was worth.
    """

    opened: Look
    opening_headlines: list[Headline]
    silences: list[SilencedBy]
    inhibited_by: Inhibitor | None
    your_verdict: str | None
    timeline: list[TimelineEntry]
    notified: list[Notified]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the rule looked at, in words and numbers."""

    reason: str
    text: str
    numbers: dict[str, Any] = {}


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why the alert fired, as the rule's own arithmetic says."""

    id: str
    series: str
    rule: str
    findings: list[Finding]


class Acknowledge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until when somebody looks after the alert: a time, or so many seconds from now; without both until it ends."""

    until_ms: TimeMs | None = None
    for_seconds: Annotated[int, Meta(ge=60, le=31_536_000)] | None = None
    note: Annotated[str, Meta(max_length=2_000)] = ""


class Assign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is to look after the alert; empty: nobody in particular."""

    to: Annotated[str, Meta(max_length=200)]


class NoteText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A remark that stays with the alert."""

    text: Annotated[str, Meta(min_length=1, max_length=2_000)]


class VerdictOf(StrEnum):
    """What an alert was worth."""

    USEFUL = "useful"
    NOISE = "noise"
    WRONG_COMPANY = "wrong_company"
    OLD_NEWS = "old_news"


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reader's judgement of the alert."""

    verdict: VerdictOf


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge made of a decision, and the version that there is now; `id` names the decision.

    `warnings` say what it names and nothing has: a watchlist, a label.
    """

    id: str
    outcome: str
    version: int
    detail: str = ""
    warnings: list[str] = []
