"""What a group has to say at a time: pure decisions on its row and its alerts.

alerts, hidden ones apart ─► Look: new, worse, ended, firing ─► change_of ─► a message, or none
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alerts.delivery.group import GroupChange, severity_rank, worst_first
from alerts.judge.policy import ResolvedMessages, Route
from alerts.judge.rows import AlertRow, GroupRow
from alerts.records import AlertEvent

__all__ = ["MOST_ALERTS", "Look", "change_of", "look_at", "shown"]

MOST_ALERTS = 50
"""In one message: the worst. A record of more would be refused by brokers and read by no one."""


@dataclass(slots=True)
class Look:
    """A group's alerts as its receivers may see them now; `told` are those that they believe to fire."""

    firing: list[AlertRow] = field(default_factory=list)
    new: list[AlertRow] = field(default_factory=list)
    notes: list[AlertRow] = field(default_factory=list)
    worse: list[AlertRow] = field(default_factory=list)
    ended: list[AlertRow] = field(default_factory=list)
    hidden: list[AlertRow] = field(default_factory=list)
    told: int = 0

    @property
    def sent(self) -> list[AlertRow]:
        """The alerts that a message is about."""
        return [*self.firing, *self.notes, *self.ended]

    @property
    def waiting(self) -> bool:
        """Whether an alert fires that nobody acknowledged."""
        return any(not alert.acknowledged_by for alert in self.firing)


def look_at(group: GroupRow, alerts: Mapping[str, AlertRow], hidden: Mapping[str, str]) -> Look:
    """Sorts the group's alerts; `hidden` has the reason of each that may not be sent now."""
    look = Look()
    for name, member in group.members.items():
        alert = alerts[name]
        look.told += member.told == "firing"
        if name in hidden:
            look.hidden.append(alert)
        elif alert.noted:
            if not member.told:
                look.notes.append(alert)
        elif not alert.fires:
            if member.told == "firing":
                look.ended.append(alert)
        else:
            look.firing.append(alert)
            if member.told != "firing":
                look.new.append(alert)
            elif severity_rank(alert.event.severity) > member.rank:
                look.worse.append(alert)
    return look


def change_of(look: Look, route: Route, *, repeat: bool) -> tuple[GroupChange, tuple[str, ...]] | None:
    """What a message would say now, and why; None: nothing. `repeat`: a reminder is due."""
    if not look.told:
        return (GroupChange.OPENED, ("new_alerts",)) if look.new or look.notes else None
    reasons = tuple(
        name
        for name, found in (
            ("new_alerts", look.new or look.notes),
            ("worse", look.worse),
            ("ended", route.resolved is ResolvedMessages.EACH and look.ended),
        )
        if found
    )
    if look.ended and len(look.ended) == look.told and not look.new and not look.notes:
        return (GroupChange.RESOLVED, ("all_ended",)) if route.resolved is not ResolvedMessages.NEVER else None
    if reasons:
        return GroupChange.UPDATED, reasons
    if repeat and look.waiting:
        return GroupChange.REPEATED, ("repeat_interval",)
    return None


def shown(look: Look) -> tuple[AlertEvent, ...]:
    """The alerts of a message, worst first, at most `MOST_ALERTS`."""
    return tuple(sorted((alert.event for alert in look.sent), key=worst_first)[:MOST_ALERTS])
