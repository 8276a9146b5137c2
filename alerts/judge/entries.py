"""What the judge reads, in the order of one log, and what follows from each entry."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from alerts.delivery.group import AlertGroup
from alerts.judge.decisions import Answer, Decision
from alerts.records import AlertEvent

__all__ = ["Clock", "Decided", "Effects", "Entry", "Event", "Plan", "Seal", "View", "ViewKind"]


@dataclass(frozen=True, slots=True)
class Event:
    """A change of an alert's state at the tick `tick_ms`, from a partition of mentions.

    With a tick of 0 it is decided as it comes: other programs' events are sealed by nobody.
    """

    alert: AlertEvent
    partition: int
    tick_ms: int


@dataclass(frozen=True, slots=True)
class Seal:
    """A partition of mentions, one of `of`, has sent all its events up to the tick."""

    partition: int
    of: int
    tick_ms: int


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person decided."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class Clock:
    """It is `at_ms` by the worker's clock, which a worker writes when a timer is due and no tick comes.

    Ticks are decided without the partitions in `without` until those seal again. A clock that names partitions and
    has `at_ms` 0 changes no time.
    """

    at_ms: int = 0
    without: tuple[int, ...] = ()


Entry = Event | Seal | Decided | Clock


@dataclass(frozen=True, slots=True)
class Plan:
    """A message for a receiver; the pair of `receiver` and the group's id and revision names it.

    A subscriber's has a name of its own, `CHANNEL/SUBSCRIBER`, so that one address that is refused holds up no other;
    `group.channel` is the receiver of the settings that delivers it, to `group.address`.
    """

    receiver: str
    group: AlertGroup


class ViewKind(StrEnum):
    """What a view is of."""

    ALERT = "alert"
    SILENCE = "silence"
    MAINTENANCE = "maintenance"
    SUBSCRIPTION = "subscription"
    WATCHLIST = "watchlist"


@dataclass(frozen=True, slots=True)
class View:
    """Something as it is now, for people and the archive; `body` is None when it is gone.

    `version` is what a decision about it carries as `seen`.
    """

    kind: ViewKind
    id: str
    version: int
    body: msgspec.Struct | None


@dataclass(slots=True)
class Effects:
    """What follows from one entry. `next_timer_ms` is when the judge has something to do without another entry,
    in the time of ticks; None: nothing.
    """

    plans: list[Plan] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    next_timer_ms: int | None = None
