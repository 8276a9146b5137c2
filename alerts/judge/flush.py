"""What a group has to say at a time: pure decisions on its row and its alerts.

alerts, hidden ones apart ─► Look: new, worse, ended, firing ─► change_of ─► a message, or none
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from alerts.delivery.group import AlertGroup, GroupChange, severity_rank, worst_first
from alerts.judge.policy import ResolvedMessages, Route
from alerts.judge.rows import AlertRow, GroupRow, Member
from alerts.records import AlertEvent

__all__ = ["MOST_ALERTS", "Look", "change_of", "look_at", "message_of"]

MOST_ALERTS = 50
"""In one message: the worst. A record of more would be refused by brokers and read by no one.

Alerts beyond them are counted, and can be looked up; notes, which are told once, come in further messages.
"""


@dataclass(slots=True)
class Look:
    """A group's alerts as its receivers may see them now; `told` counts those that they believe to fire."""

    firing: list[AlertRow] = field(default_factory=list)
    new: list[AlertRow] = field(default_factory=list)
    notes: list[AlertRow] = field(default_factory=list)
    worse: list[AlertRow] = field(default_factory=list)
    ended: list[AlertRow] = field(default_factory=list)
    hidden: list[AlertRow] = field(default_factory=list)
    moved: dict[str, AlertEvent] = field(default_factory=dict)
    """Of those that ended, the ones that go on in other groups, each as it ends here."""
    told: int = 0

    @property
    def sent(self) -> list[AlertRow]:
        """The alerts that a message is about."""
        return [*self.firing, *self.notes, *self.ended]

    @property
    def waiting(self) -> bool:
        """Whether an alert fires that nobody acknowledged."""
        return any(not alert.acknowledged_by for alert in self.firing)

    @property
    def rank(self) -> int:
        """That of the worst alert that fires or is noted; -1 without one."""
        return max((severity_rank(alert.event.severity) for alert in (*self.firing, *self.notes)), default=-1)

    def sort(self, alert: AlertRow, member: Member, *, digest: bool) -> None:
        """Adds an alert that may be sent; a digest also shows what began and ended since the last one."""
        if alert.fires:
            self.firing.append(alert)
            if member.told != "firing":
                self.new.append(alert)
            elif severity_rank(alert.event.severity) > member.rank:
                self.worse.append(alert)
        elif alert.noted and not member.told:
            self.notes.append(alert)
        elif not alert.noted and (member.told == "firing" or (digest and not member.told)):
            self.ended.append(alert)

    def move(self, alert: AlertRow, left: AlertEvent) -> None:
        """Adds an alert that left the group."""
        self.ended.append(alert)
        self.moved[alert.event.id] = left

    def parts(self) -> list[Look]:
        """What goes into a message each: the first has all but the notes that do not fit."""
        room = max(MOST_ALERTS - len(self.firing) - len(self.ended), 0)
        rest = range(room, len(self.notes), MOST_ALERTS)
        return [replace(self, notes=self.notes[:room]), *(Look(notes=self.notes[at : at + MOST_ALERTS]) for at in rest)]

    def event_of(self, alert: AlertRow) -> AlertEvent:
        """The alert as a message shows it."""
        return self.moved.get(alert.event.id, alert.event)


def look_at(group: GroupRow, route: Route, alerts: Mapping[str, AlertRow], hidden: Mapping[str, str]) -> Look:
    """Sorts the group's alerts; `hidden` has the reason of each that may not be sent now."""
    look = Look()
    for name, member in group.members.items():
        look.told += member.told == "firing"
        if name in hidden:
            look.hidden += [] if member.left else [alerts[name]]
        elif member.left:
            look.move(alerts[name], member.left)
        else:
            look.sort(alerts[name], member, digest=route.digest is not None)
    return look


def change_of(look: Look, route: Route, remind: str) -> tuple[GroupChange, tuple[str, ...]] | None:
    """What a message would say now, and why; None: nothing. `remind` is why a reminder is due, if one is."""
    if route.digest is not None:
        found = look.new or look.notes or look.worse or look.ended
        return (GroupChange.DIGEST, _reasons(look, ends=True)) if found else None
    if not look.told:
        return (GroupChange.OPENED, ("new_alerts",)) if look.new or look.notes else None
    if look.ended and len(look.ended) == look.told and not look.new and not look.notes:
        return (GroupChange.RESOLVED, _ends(look)) if route.resolved is not ResolvedMessages.NEVER else None
    reasons = _reasons(look, ends=route.resolved is ResolvedMessages.EACH)
    if reasons:
        return GroupChange.UPDATED, reasons
    return (GroupChange.REPEATED, (remind,)) if remind and look.waiting else None


def _ends(look: Look) -> tuple[str, ...]:
    over = len(look.ended) > len(look.moved)
    return (*(["all_ended"] if over else []), *(["moved"] if look.moved else []))


def _reasons(look: Look, *, ends: bool) -> tuple[str, ...]:
    found = {
        "new_alerts": bool(look.new or look.notes),
        "worse": bool(look.worse),
        "ended": ends and len(look.ended) > len(look.moved),
        "moved": ends and bool(look.moved),
    }
    return tuple(name for name, is_one in found.items() if is_one)


def message_of(
    group: GroupRow, route: Route, look: Look, change: GroupChange, reasons: tuple[str, ...], now_ms: int
) -> AlertGroup:
    """Returns the message for the route's receiver, under the group's present revision."""
    alerts = sorted(map(look.event_of, look.sent), key=worst_first)
    person = route.person
    return AlertGroup(
        id=group.id,
        revision=group.revision,
        receiver=route.receiver,
        labels=group.labels,
        alerts=tuple(alerts[:MOST_ALERTS]),
        change=change,
        severity=max((event.severity for event in alerts), key=severity_rank, default="info"),
        opened_ms=group.opened_ms,
        at_ms=now_ms,
        firing=len(look.firing) + len(look.notes),
        resolved=len(look.ended),
        reasons=reasons,
        acknowledged=tuple(sorted({alert.acknowledged_by for alert in look.firing if alert.acknowledged_by})),
        digest=route.digest.of if route.digest else "",
        subscriber=person.name if person else "",
        channel=person.channel if person else route.receiver,
        address=person.address if person else "",
        language=person.language if person else "",
    )
