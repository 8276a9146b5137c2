"""What should be sent, by a plain function over all that happened: it looks at everything at every step.

No log, no rows, no timers, no partitions: the judge must agree with it however its log is mixed and cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from alerts import AlertEvent
from alerts.clock import HOUR_MS, MINUTE_MS
from alerts.judge.decisions import Acknowledge, Decision, ExpireSilence, Maintenance, Silence, Subscribe, Unacknowledge
from alerts.judge.policy import Policy, Route
from alerts.judge.routing import route_of
from alerts.matchers import matches, parse_matcher
from alerts.records import labels_of

Sent = tuple[str, float, str, frozenset[str]]
"""Receiver, minute, change, alerts."""

RANKS = {"info": 0, "warning": 1, "critical": 2}


@dataclass
class Mute:
    id: str
    matchers: tuple[str, ...]
    start: int
    end: int
    warn: int
    ceiling: int | None


@dataclass
class Group:
    route: Route
    labels: tuple[tuple[str, str], ...]
    told: dict[str, tuple[str, int]] = field(default_factory=dict)
    messages: int = 0
    sent: int = 0
    rank: int = -1
    news: int = 0
    repeat: int = 0
    escalate: int = 0
    waiting_since: int = 0
    steps: int = 0
    reached: int = 0
    hidden: bool = False
    left: set[str] = field(default_factory=set)


class Oracle:
    def __init__(self, policy: Policy, start_ms: int, step_ms: int = MINUTE_MS) -> None:
        self.step = step_ms
        self.policy = policy
        self.start = self.now = start_ms
        self.alerts: dict[str, AlertEvent] = {}
        self.acknowledged: dict[str, int] = {}
        self.mutes: list[Mute] = []
        self.persons: dict[str, Route] = {}
        self.groups: list[Group] = []
        self.sent: list[Sent] = []

    def minute(self, events: Sequence[AlertEvent], decisions: Sequence[Decision], now: int) -> None:
        """A minute of the world: what happened to alerts, then what people decided."""
        self.now = now
        for event in sorted(events, key=lambda event: (event.id, event.revision)):
            self.happened(event)
        self.settle()
        for decision in decisions:
            self.decided(decision)
            self.settle()

    # -- alerts

    def happened(self, event: AlertEvent) -> None:
        before = self.alerts.get(event.id)
        released = before is not None and any(
            one is not None and one != other
            for one, other in zip(self.as_source(before), self.as_source(event), strict=True)
        )
        worse = before is not None and RANKS[event.severity] > RANKS[before.severity]
        self.alerts[event.id] = event
        if worse or not self.fires(event):
            self.acknowledged.pop(event.id, None)
        moved = self.place(event) if event.state != "resolved" else []
        relabelled = before is not None and labels(before) != labels(event)
        for group in self.groups:
            is_here = event.id in group.told and event.id not in group.left
            if group in moved or (is_here and (event.change != "ongoing" or relabelled)):
                self.news(group, event)
        was_source = before is not None and self.is_source(before)
        if released or (self.is_source(event) and not was_source and self.over(event)):
            self.look_again()

    def place(self, event: AlertEvent) -> list[Group]:
        """The alert is in the groups of its labels alone; returns those that it joined, or left by a message."""
        had = [group for group in self.groups if event.id in group.told and event.id not in group.left]
        wanted = [
            self.group_for(route, event) for route in [*self.policy.routes_of(labels(event)), *self.wanted(event)]
        ]
        moved = [group for group in wanted if group not in had]
        for group in moved:
            group.told.setdefault(event.id, ("", -1))
            group.left.discard(event.id)
        for group in [group for group in had if group not in wanted]:
            if group.told[event.id][0] == "firing" and group.route.resolved != "never":
                group.left.add(event.id)
                moved.append(group)
            else:
                del group.told[event.id]
                if not group.told and not group.news:
                    self.groups.remove(group)
        return moved

    def wanted(self, event: AlertEvent) -> Iterator[Route]:
        for route in self.persons.values():
            if RANKS[event.severity] >= route.minimum_rank and matches(route.matchers, labels(event)):
                yield route

    def group_for(self, route: Route, event: AlertEvent) -> Group:
        everything = "..." in route.group_by
        is_info = labels(event).get("severity") == "info"
        by = (*route.group_by, "severity") if is_info else route.group_by
        own = tuple(sorted((name, value) for name, value in labels(event).items() if everything or name in by))
        for group in self.groups:
            if group.route.key == route.key and group.labels == own:
                return group
        self.groups.append(Group(route, own))
        return self.groups[-1]

    def news(self, group: Group, event: AlertEvent) -> None:
        due = self.now + group.route.group_wait_ms
        calm = (not self.fires(event) and event.state != "noted") or RANKS[event.severity] <= group.rank
        calm = calm or event.id in group.left
        if group.route.digest is not None:
            due = group.route.digest.next_ms(self.now)
        elif group.messages and calm:
            due = max(due, group.sent + group.route.group_interval_ms)
        group.news = min(group.news or due, due)

    def look_again(self) -> None:
        for group in self.groups:
            if group.hidden:
                due = max(self.now, group.sent + group.route.group_interval_ms if group.messages else 0)
                due = group.route.digest.next_ms(self.now) if group.route.digest is not None else due
                group.news = min(group.news or due, due)

    # -- why an alert may not be sent

    @staticmethod
    def fires(event: AlertEvent) -> bool:
        return event.state in ("firing", "escalated")

    def is_source(self, event: AlertEvent) -> bool:
        return any(values is not None for values in self.as_source(event))

    def as_source(self, event: AlertEvent) -> list[list[str] | None]:
        """For each rule the values in which what it holds back must agree; None: it holds back nothing by it."""
        own = labels(event)
        return [
            [own.get(name, "") for name in rule.equal] if self.fires(event) and matches(rule.source, own) else None
            for rule in self.policy.inhibitions
        ]

    def over(self, event: AlertEvent, rules: Sequence[int] | None = None) -> list[tuple[int, AlertEvent]]:
        """The alerts that a rule holds this one back for, each with the rule's number."""
        own = labels(event)
        return [
            (number, one)
            for number, rule in enumerate(self.policy.inhibitions)
            if (rules is None or number in rules) and matches(rule.target, own) and not matches(rule.source, own)
            for one in self.alerts.values()
            if self.as_source(one)[number] == [own.get(name, "") for name in rule.equal]
        ]

    def reaches(self, event: AlertEvent, other: AlertEvent, rules: Sequence[int], seen: frozenset[str]) -> bool:
        """Whether `event` holds the other one back, itself or through others."""
        above = [one for _, one in self.over(other, rules) if one.id not in seen]
        if any(one.id == event.id for one in above):
            return True
        return any(self.reaches(event, one, rules, seen | {one.id}) for one in above)

    def hidden_by(self, event: AlertEvent) -> str:
        """A rule counts where it closes no circle with those before it."""
        for number, one in self.over(event):
            if not self.reaches(event, one, range(number + 1), frozenset({one.id})):
                return "inhibited"
        hiding = [mute for mute in self.mutes if mute.start <= self.now < mute.end and self.about(mute, event)]
        return max(hiding, key=lambda mute: (mute.warn == -1, mute.end, mute.id)).id if hiding else ""

    @staticmethod
    def about(mute: Mute, event: AlertEvent) -> bool:
        if mute.ceiling is not None and RANKS[event.severity] > mute.ceiling:
            return False
        return all(parse_matcher(text).matches(labels(event)) for text in mute.matchers)

    # -- decisions

    def decided(self, decision: Decision) -> None:
        match decision:
            case Acknowledge():
                event = self.alerts.get(decision.target)
                if event is not None and self.fires(event) and decision.until_ms > self.now:
                    self.acknowledged[event.id] = decision.until_ms
                    self.attended(event.id)
            case Unacknowledge():
                if decision.target in self.acknowledged:
                    self.unattended(decision.target)
            case Silence() | Maintenance():
                self.mute(decision)
            case ExpireSilence():
                if any(mute.id == decision.silence for mute in self.mutes):
                    self.end(decision.silence)
            case Subscribe():
                self.subscribed(route_of(decision), decision.name)

    def subscribed(self, route: Route, name: str) -> None:
        before = [group for group in self.groups if group.route.key == route.key]
        sent = {
            alert: entry
            for group in before
            for alert, entry in group.told.items()
            if entry[0] and alert not in group.left
        }
        self.groups = [group for group in self.groups if group not in before]
        self.persons[name] = route
        for event in [self.alerts[alert] for alert in sorted(self.alerts)]:
            if self.fires(event) and route in self.wanted(event):
                group = self.group_for(route, event)
                group.told[event.id] = sent.get(event.id, ("", -1))
                if event.id not in sent:
                    self.news(group, event)
                elif route.repeat_interval_ms and route.digest is None:
                    group.repeat = self.now + route.repeat_interval_ms

    def mute(self, decision: Silence | Maintenance) -> None:
        start = self.now if decision.starts_ms is None else decision.starts_ms
        if decision.ends_ms <= max(start, self.now):
            return
        mute = Mute(decision.id, decision.matchers, start, decision.ends_ms, -1, None)
        if isinstance(decision, Silence):
            mute.warn = mute.end - min(15 * MINUTE_MS, (mute.end - start) // 4)
            if decision.until_worse:
                hit = [one for one in self.alerts.values() if self.fires(one) and self.about(mute, one)]
                mute.ceiling = max((RANKS[one.severity] for one in hit), default=1)
        self.mutes.append(mute)

    def end(self, name: str) -> None:
        self.mutes = [mute for mute in self.mutes if mute.id != name]
        self.look_again()

    def unattended(self, name: str) -> None:
        del self.acknowledged[name]
        for group in self.groups:
            knows = name not in group.left and group.told.get(name, ("", 0))[0] == "firing"
            if group.route.digest is None and knows:
                group.repeat = self.now

    def attended(self, name: str) -> None:
        for group in self.groups:
            if name in group.told:
                self.wait(group, self.visible(group))

    # -- what is due

    def settle(self) -> None:
        while self.settled_one():
            pass

    def settled_one(self) -> bool:
        for name, until in self.acknowledged.items():
            if until <= self.now:
                self.unattended(name)
                return True
        for group in self.groups:
            if any(0 < due <= self.now for due in (group.news, group.repeat, group.escalate)):
                self.flush(group)
                return True
        for mute in self.mutes:
            if 0 < mute.warn <= self.now:
                mute.warn = 0
                self.warn(mute)
                return True
            if mute.end <= self.now:
                self.end(mute.id)
                return True
        return False

    def visible(self, group: Group) -> list[AlertEvent]:
        return [event for name in group.told if not self.hidden_by(event := self.alerts[name])]

    def flush(self, group: Group) -> None:
        seen, route, now = self.visible(group), group.route, self.now
        group.hidden = len(seen) < len(group.told)
        moved = [event for event in seen if event.id in group.left]
        firing = [event for event in seen if self.fires(event) and event not in moved]
        new = [event for event in firing if group.told[event.id][0] != "firing"]
        worse = [
            event for event in firing if event not in new and RANKS[event.severity] > group.told[event.id][1]
        ]  # fmt: skip
        notes = [event for event in seen if event.state == "noted" and not group.told[event.id][0]]
        believed = ("firing", "") if route.digest is not None else ("firing",)
        ended = [
            event
            for event in seen
            if event not in moved and event.state == "resolved" and group.told[event.id][0] in believed
        ]
        ended += moved
        again = 0 < group.repeat <= now
        about = [*firing, *notes, *ended]
        urgent = [*new, *worse, *notes] or (firing if again or 0 < group.escalate <= now else [])
        if about and route.hours.closed(now, max((RANKS[event.severity] for event in urgent), default=-1)):
            group.news = next(at for at in range(now, now + 99 * HOUR_MS, self.step) if not route.hours.closed(at, -1))
            group.repeat = group.repeat and max(group.repeat, group.news)
            group.escalate = group.escalate and max(group.escalate, group.news)
            return
        unattended = any(event.id not in self.acknowledged for event in firing)
        if 0 < group.escalate <= now and unattended and group.steps < len(route.escalations):
            self.send(route.escalations[group.steps].receiver, "escalated", about)
            group.steps += 1
            group.reached = max(group.reached, group.steps)
            group.messages += 1
        change = self.change(group, new, worse, notes, ended, again=again and unattended)
        if change:
            for receiver in [route.receiver, *(step.receiver for step in route.escalations[: group.reached])]:
                self.send(receiver, change, about)
            group.messages += 1
            group.sent = now
            group.rank = max((RANKS[event.severity] for event in (*firing, *notes)), default=-1)
            for event in about:
                state = "moved" if event in moved else "firing" if self.fires(event) else event.state
                group.told[event.id] = (state, RANKS[event.severity])
        group.news = 0
        if change or again:
            anything = any(self.fires(self.alerts[name]) and name not in group.left for name in group.told)
            wanted = anything and route.repeat_interval_ms and route.digest is None
            group.repeat = now + route.repeat_interval_ms if wanted else 0
        self.wait(group, seen)
        self.tidy(group)

    def change(
        self,
        group: Group,
        new: list[AlertEvent],
        worse: list[AlertEvent],
        notes: list[AlertEvent],
        ended: list[AlertEvent],
        *,
        again: bool,
    ) -> str:
        if group.route.digest is not None:
            return "digest" if new or worse or notes or ended else ""
        told = [name for name, (state, _) in group.told.items() if state == "firing"]
        if not told:
            return "opened" if new or notes else ""
        if len(ended) == len(told) and not new and not notes:
            return "resolved" if group.route.resolved != "never" else ""
        if new or worse or notes or (ended and group.route.resolved == "each"):
            return "updated"
        return "repeated" if again else ""

    def wait(self, group: Group, seen: list[AlertEvent]) -> None:
        unattended = any(
            self.fires(event) and event.id not in self.acknowledged and event.id not in group.left for event in seen
        )
        if not unattended or not group.messages:
            group.waiting_since = group.steps = group.escalate = 0
            return
        group.waiting_since = group.waiting_since or self.now
        left = group.route.escalations[group.steps :]
        group.escalate = group.waiting_since + left[0].after_ms if left else 0

    def tidy(self, group: Group) -> None:
        for name, (state, _) in list(group.told.items()):
            event = self.alerts[name]
            if name in group.left:
                over = state != "firing"
            elif event.state == "noted":
                over = bool(state) or bool(self.hidden_by(event))
            else:
                over = event.state == "resolved" and (state != "firing" or group.route.resolved == "never")
            if over:
                del group.told[name]
                group.left.discard(name)
        ends = group.sent + group.route.group_interval_ms
        if not group.told and group.rank == 0 and self.now < ends and group.route.digest is None:
            group.news = ends
        if not group.told and not group.news:
            self.groups.remove(group)

    def warn(self, mute: Mute) -> None:
        for group in self.groups:
            if group.hidden and group.route.digest is None:
                under = [self.alerts[name] for name in group.told if self.hidden_by(self.alerts[name]) == mute.id]
                under = [event for event in under if self.fires(event) and event.id not in group.left]
                if under and not group.route.hours.closed(self.now, max(RANKS[event.severity] for event in under)):
                    self.send(group.route.receiver, "expiring", under)
                    group.messages += 1

    def send(self, receiver: str, change: str, alerts: Sequence[AlertEvent]) -> None:
        minute = (self.now - self.start) / MINUTE_MS
        self.sent.append((receiver, minute, change, frozenset(event.id for event in alerts)))


def labels(event: AlertEvent) -> dict[str, str]:
    return event.labels or labels_of(event.rule, event.signal, event.series, event.kind, event.severity)
