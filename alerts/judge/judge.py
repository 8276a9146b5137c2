"""The judge: reads one log and decides which message goes to whom, and when. Pure; its state is rows.

    Event, Seal ─► ticks that all partitions sealed ─┐
    Decided ────► answered by its place in the log ──┼─► alerts ─► groups of routes ─► due ─► Plan
    Clock ──────► time, where no tick comes ─────────┘

Time is that of sealed ticks and never goes back: what is due between two of them is decided at the time it was due, in
an order of its own, so a replay and a redo decide alike however the log was cut into runs.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Final

import msgspec

from alerts.delivery.group import AlertGroup, GroupChange, group_id, severity_rank
from alerts.judge.decisions import Answer, Outcome
from alerts.judge.entries import Clock, Decided, Effects, Entry, Event, Plan, Seal, Trouble, View, ViewKind
from alerts.judge.flush import Look, change_of, look_at, shown
from alerts.judge.policy import Policy, Route
from alerts.judge.rows import (
    ALERT_PREFIX,
    GROUP_PREFIX,
    HELD_PREFIX,
    META_KEY,
    AlertRow,
    GroupRow,
    HeldRow,
    Member,
    MetaRow,
    encoded,
    row_of,
)
from alerts.judge.ticks import Ticks
from alerts.records import AlertEvent, labels_of

__all__ = ["KEPT_ENDED", "Judge"]

KEPT_ENDED: Final = 2_000
"""Alerts that stay known after their end, the newest: events that come again after a crash are passed over, and a
relapse goes on under the same name."""


class Judge:
    """Applies entries in order. After each: write down what the effects plan, then `take_rows()`, then go on.

    `rows` are those that an earlier judge gave. Raises `StateError` for a row that cannot be read.
    """

    def __init__(self, policy: Policy, rows: Mapping[str, bytes]) -> None:
        self._policy = policy
        self._routes = {route.key: route for route in policy.root.walk()}
        self._dirty: dict[str, bytes | None] = {}
        self._changed: set[str] = set()
        self._alerts: dict[str, AlertRow] = {}
        self._groups: dict[str, GroupRow] = {}
        self._open: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}
        self._timers: list[tuple[int, str]] = []
        self._ended: list[tuple[int, str]] = []
        self._meta = row_of(rows[META_KEY], MetaRow) if META_KEY in rows else MetaRow()
        self._ticks = Ticks(self._meta, self._restored(rows), self._dirty)

    def _restored(self, rows: Mapping[str, bytes]) -> list[HeldRow]:
        """Takes alerts and groups from the rows; returns the events that wait."""
        held: list[HeldRow] = []
        for key, data in rows.items():
            if key.startswith(ALERT_PREFIX):
                alert = self._alerts[key.removeprefix(ALERT_PREFIX)] = row_of(data, AlertRow)
                self._rest(alert)
            elif key.startswith(GROUP_PREFIX):
                self._adopt(row_of(data, GroupRow))
            elif key.startswith(HELD_PREFIX):
                held.append(row_of(data, HeldRow))
        return held

    @property
    def position(self) -> int:
        """The last position of the log that was applied; -1 before the first."""
        return self._meta.position

    @property
    def now_ms(self) -> int:
        """The time of ticks."""
        return self._meta.now_ms

    @property
    def lagging(self) -> tuple[int, ...]:
        """The partitions of mentions that the next tick waits for while others have sealed it."""
        return self._ticks.lagging

    @property
    def held(self) -> int:
        """How many events wait for their tick."""
        return len(self._ticks)

    def apply(self, entry: Entry, position: int) -> Effects:
        """Returns what follows from the entry; nothing for a position that was applied before."""
        effects = Effects()
        if position > self._meta.position:
            self._meta.position = position
            self._take(entry, effects)
            at_ms = entry.at_ms if isinstance(entry, Clock) else 0
            self._advance(max(self.now_ms, at_ms, self._ticks.horizon_ms or 0), effects)
            self._forget(effects)
            self._dirty[META_KEY] = encoded(self._meta)
        effects.next_timer_ms = self._next_timer_ms()
        return effects

    def take_rows(self) -> dict[str, bytes | None]:
        """Returns the rows that changed since the last call (None: deleted), `META_KEY` last."""
        for key in self._changed:
            self._dirty[key] = self._encoded(key)
        rows, meta = dict(self._dirty), self._dirty.get(META_KEY)
        self._dirty.clear()
        self._changed.clear()
        if meta is not None:
            del rows[META_KEY]
            rows[META_KEY] = meta
        return rows

    def _encoded(self, key: str) -> bytes | None:
        found: AlertRow | GroupRow | None
        if key.startswith(ALERT_PREFIX):
            found = self._alerts.get(key.removeprefix(ALERT_PREFIX))
        else:
            found = self._groups.get(key.removeprefix(GROUP_PREFIX))
        return None if found is None else encoded(found)

    # -- entries

    def _take(self, entry: Entry, effects: Effects) -> None:
        match entry:
            case Event():
                self._ticks.hold(entry)
            case Seal():
                self._ticks.seal(entry.partition, entry.of, entry.tick_ms)
            case Clock():
                for partition in self._ticks.without(entry.without):
                    effects.troubles.append(Trouble("partition_away", str(partition), "ticks are decided without it"))
            case Decided():
                effects.answers.append(
                    Answer(decision=entry.decision.id, outcome=Outcome.UNKNOWN, detail="not decided here")
                )

    def _advance(self, until_ms: int, effects: Effects) -> None:
        """Decides ticks and what is due, in the order of time, up to `until_ms`."""
        while True:
            horizon = self._ticks.horizon_ms
            tick, timer = self._ticks.next_ms(horizon), self._next_timer_ms()
            if tick is not None and (timer is None or max(tick, self.now_ms) <= timer):
                self._meta.now_ms = max(self.now_ms, tick)
                for event in self._ticks.take(tick):
                    self._event(event.alert, effects)
            elif timer is not None and timer <= until_ms:
                self._meta.now_ms = max(self.now_ms, timer)
                self._flush(self._groups[heapq.heappop(self._timers)[1]], effects)
            else:
                break
        self._meta.now_ms = until_ms

    # -- alerts and groups

    def _event(self, event: AlertEvent, effects: Effects) -> None:
        """A change of an alert's state, at its tick."""
        known = self._alerts.get(event.id)
        if known is not None and event.revision <= known.event.revision:
            return
        labels = event.labels or labels_of(event.rule, event.signal, event.series, event.kind, event.severity)
        if known is None:
            known = self._alerts[event.id] = AlertRow(event=event, labels=labels, changed_ms=self.now_ms)
        else:
            known.event, known.labels = _with_titles(event, known.event), labels
            known.changed_ms, known.seen_version = self.now_ms, known.seen_version + (event.change != "ongoing")
        if known.fires or known.noted:
            for route in self._policy.routes_of(labels):
                self._join(route, known)
        if event.change != "ongoing":
            for name in known.groups:
                self._news(self._groups[name], known)
        self._rest(known)
        self._show(known, effects)

    def _join(self, route: Route, alert: AlertRow) -> None:
        labels = route.group_labels(alert.labels)
        name = self._open.get((route.key, tuple(sorted(labels.items()))))
        if name is None:
            name = group_id(route.key, labels, self.now_ms)
            self._adopt(GroupRow(id=name, route=route.key, labels=labels, opened_ms=self.now_ms))
        group = self._groups[name]
        if alert.event.id not in group.members:
            group.members[alert.event.id] = Member()
            alert.groups = [*alert.groups, name]
        self._changed.add(GROUP_PREFIX + name)

    def _adopt(self, group: GroupRow) -> None:
        self._groups[group.id] = group
        self._open[group.route, tuple(sorted(group.labels.items()))] = group.id
        if group.due_ms:
            heapq.heappush(self._timers, (group.due_ms, group.id))

    def _news(self, group: GroupRow, alert: AlertRow) -> None:
        """The group is due soon; one that becomes worse does not wait for its interval."""
        route = self._routes[group.route]
        due = self.now_ms + route.group_wait_ms
        if severity_rank(alert.event.severity) <= group.rank or not alert.fires:
            due = max(due, group.sent_ms + route.group_interval_ms if group.revision else 0)
        group.news_ms = min(group.news_ms or due, due)
        self._schedule(group)

    def _schedule(self, group: GroupRow) -> None:
        self._changed.add(GROUP_PREFIX + group.id)
        if group.due_ms:
            heapq.heappush(self._timers, (group.due_ms, group.id))

    def _next_timer_ms(self) -> int | None:
        while self._timers:
            due, name = self._timers[0]
            if name in self._groups and self._groups[name].due_ms == due:
                return due
            heapq.heappop(self._timers)  # it was due for another time since, or is gone
        return None

    # -- messages

    def _flush(self, group: GroupRow, effects: Effects) -> None:
        now, route = self.now_ms, self._routes[group.route]
        repeat = 0 < group.repeat_ms <= now
        look = look_at(group, self._alerts, {})
        if 0 < group.escalate_ms <= now:
            self._escalate(group, route, look, effects)
        decided = change_of(look, route, repeat=repeat)
        if decided is not None:
            self._send(group, route, look, *decided, effects)
        group.news_ms = 0
        if repeat or decided is not None:
            fires = bool(look.firing) and route.repeat_interval_ms > 0
            group.repeat_ms = now + route.repeat_interval_ms if fires else 0
        self._wait_for_somebody(group, route, look)
        self._leave(group)

    def _send(
        self, group: GroupRow, route: Route, look: Look, change: GroupChange, reasons: tuple[str, ...], effects: Effects
    ) -> None:
        message = self._message(group, route, look, change, reasons)
        for receiver in (route.receiver, *(step.receiver for step in route.escalations[: group.steps])):
            self._plan(message, receiver, effects)
        ranks = [severity_rank(alert.event.severity) for alert in (*look.firing, *look.notes)]
        group.sent_ms, group.rank = self.now_ms, max(ranks, default=-1)
        for alert in look.sent:
            told = "firing" if alert.fires else alert.event.state
            group.members[alert.event.id] = Member(told, severity_rank(alert.event.severity))

    def _message(
        self, group: GroupRow, route: Route, look: Look, change: GroupChange, reasons: tuple[str, ...]
    ) -> AlertGroup:
        group.revision += 1
        alerts = shown(look)
        worst = max(alerts, key=lambda event: severity_rank(event.severity))
        return AlertGroup(
            id=group.id,
            revision=group.revision,
            receiver=route.receiver,
            labels=group.labels,
            alerts=alerts,
            change=change,
            severity=worst.severity,
            opened_ms=group.opened_ms,
            at_ms=self.now_ms,
            firing=len(look.firing) + len(look.notes),
            resolved=len(look.ended),
            reasons=reasons,
            acknowledged=tuple(sorted({alert.acknowledged_by for alert in look.firing if alert.acknowledged_by})),
            channel=route.receiver,
        )

    def _plan(self, message: AlertGroup, receiver: str, effects: Effects) -> None:
        if receiver in self._policy.receivers:
            named = message if receiver == message.receiver else _renamed(message, receiver)
            effects.plans.append(Plan(receiver, named))

    def _escalate(self, group: GroupRow, route: Route, look: Look, effects: Effects) -> None:
        """The next receiver gets what nobody acknowledged."""
        group.escalate_ms = 0
        if look.waiting and group.steps < len(route.escalations):
            step = route.escalations[group.steps]
            group.steps += 1
            message = self._message(group, route, look, GroupChange.ESCALATED, ("not_acknowledged",))
            self._plan(_renamed(message, step.receiver), step.receiver, effects)

    def _wait_for_somebody(self, group: GroupRow, route: Route, look: Look) -> None:
        """When the next escalation is due; none once all alerts are acknowledged or over."""
        if not look.waiting or not group.revision:
            group.open_since_ms = group.steps = group.escalate_ms = 0
        else:
            group.open_since_ms = group.open_since_ms or self.now_ms
            left = route.escalations[group.steps :]
            group.escalate_ms = group.open_since_ms + left[0].after_ms if left else 0

    def _leave(self, group: GroupRow) -> None:
        """Alerts that are over and that no receiver believes to fire leave. A group without alerts is gone; one of
        notes is kept for its interval, so that the next ones do not come sooner.
        """
        route = self._routes[group.route]
        never = route.resolved.value == "never"
        over = [name for name, member in group.members.items() if self._is_over(name, member, never=never)]
        for name in over:
            del group.members[name]
            alert = self._alerts[name]
            alert.groups = [one for one in alert.groups if one != group.id]
            self._changed.add(ALERT_PREFIX + name)
            self._rest(alert)
        if not group.members and group.rank == 0 and self.now_ms < group.sent_ms + route.group_interval_ms:
            group.news_ms = group.sent_ms + route.group_interval_ms
        if group.members or group.news_ms:
            self._schedule(group)
        else:
            del self._groups[group.id]
            del self._open[group.route, tuple(sorted(group.labels.items()))]
            self._changed.add(GROUP_PREFIX + group.id)

    def _is_over(self, name: str, member: Member, *, never: bool) -> bool:
        alert = self._alerts[name]
        if alert.noted:
            return bool(member.told)
        return not alert.fires and (member.told != "firing" or never)

    def _rest(self, alert: AlertRow) -> None:
        """An alert that is over and in no group is kept for a while."""
        if not alert.groups and not alert.fires:
            heapq.heappush(self._ended, (alert.changed_ms, alert.event.id))

    def _forget(self, effects: Effects) -> None:
        """The oldest of the ended alerts that are too many are known no longer."""
        while len(self._ended) > KEPT_ENDED:
            changed_ms, name = heapq.heappop(self._ended)
            alert = self._alerts.get(name)
            if alert is not None and alert.changed_ms == changed_ms and not alert.fires and not alert.groups:
                del self._alerts[name]
                self._changed.add(ALERT_PREFIX + name)
                effects.views.append(View(ViewKind.ALERT, name, alert.seen_version, None))

    def _show(self, alert: AlertRow, effects: Effects) -> None:
        self._changed.add(ALERT_PREFIX + alert.event.id)
        effects.views.append(View(ViewKind.ALERT, alert.event.id, alert.seen_version, alert))


def _with_titles(event: AlertEvent, before: AlertEvent) -> AlertEvent:
    """The event with the headlines of the one before where it has none: an update comes without."""
    if not event.top_items:
        return msgspec.structs.replace(event, top_items=before.top_items)
    titled = {item.id: item for item in before.top_items if item.title}
    items = tuple(item if item.title else titled.get(item.id, item) for item in event.top_items)
    return msgspec.structs.replace(event, top_items=items)


def _renamed(message: AlertGroup, receiver: str) -> AlertGroup:
    return msgspec.structs.replace(message, receiver=receiver, channel=receiver)
