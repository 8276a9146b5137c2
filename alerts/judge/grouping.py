"""Groups from their first alert to the message about their end, and when each has something to say.

an alert changed ─► joins the groups of its routes ─► news: due after group_wait or group_interval
due ─► hidden alerts apart ─► look ─► a message, planned for the receivers that know the group
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from alerts.delivery.group import AlertGroup, GroupChange, group_id, severity_rank
from alerts.judge.entries import Plan
from alerts.judge.flush import Look, change_of, look_at, message_of
from alerts.judge.mutes import Inhibitors, mute_of
from alerts.judge.policy import ResolvedMessages, Route
from alerts.judge.routing import Routing
from alerts.judge.rows import ALERT, GROUP, AlertRow, GroupRow, Member
from alerts.judge.state import State
from alerts.records import AlertEvent

__all__ = ["Grouping"]

_PASSED_OVER = ("inhibited", "silence", "maintenance")
_PAST_GROUPS = 20


class Grouping:
    """Moves groups on. Every call is at the state's present time."""

    def __init__(self, state: State, routing: Routing) -> None:
        self._state = state
        self._routing = routing
        self._inhibitors = Inhibitors(routing.policy.inhibitions)
        self._hidden = {name for name, group in state.groups.items() if group.hidden}
        for alert in state.alerts.values():
            self._inhibitors.take(alert)

    # -- alerts come

    def take(self, alert: AlertRow, before: AlertEvent | None = None, *, relabelled: bool = False) -> None:
        """The alert is new, or is now as it was not `before`."""
        moved = self._place(alert, before or alert.event) if alert.fires or alert.noted else set()
        changed = alert.event.change != "ongoing" or relabelled
        for name in alert.groups:
            group = self._state.groups[name]
            if name in moved or (changed and not group.members[alert.event.id].left):
                self._news(group, alert)
        if self._inhibitors.take(alert):
            self.look_again()

    def regroup(self) -> None:
        """The policy is another one: groups of routes that are gone end, and alerts that fire join the new ones."""
        groups, known = self._state.groups, self._routing.by_key
        for group in [one for one in groups.values() if one.route not in known]:
            self.drop(group)
        for _, alert in sorted(self._state.alerts.items()):
            moved = self._place(alert, alert.event) if alert.fires else set()
            for name in sorted(moved.intersection(alert.groups)):
                self._news(groups[name], alert)

    def welcome(self, route: Route, sent: Mapping[str, Member]) -> None:
        """Alerts that fire join a subscriber's route, new or changed; `sent` is what the subscriber has by alert."""
        for name, alert in sorted(self._state.alerts.items()):
            if not alert.fires or not route.takes(alert.labels):
                continue
            group = self._join(route, alert)
            if name not in sent:
                self._news(group, alert)
                continue
            group.members[name], group.repeat_ms = sent[name], self._repeat_ms(route)
            self._state.touch(GROUP + group.id)

    def _place(self, alert: AlertRow, before: AlertEvent) -> set[str]:
        """The alert is in the groups of its labels and in no others; returns those that it joined and left."""
        name, groups = alert.event.id, self._state.groups
        had = {one for one in alert.groups if not groups[one].members[name].left}
        wanted = {self._join(route, alert).id for route in self._routing.routes_of(alert.labels)}
        for one in sorted(had - wanted):
            self._part(groups[one], alert, before)
        return wanted ^ had

    def _part(self, group: GroupRow, alert: AlertRow, before: AlertEvent) -> None:
        """The alert goes on elsewhere. Receivers that believe it to fire are told so; for others it was never here."""
        name, member = alert.event.id, group.members[alert.event.id]
        if self._knows(group, member):
            member.left = msgspec.structs.replace(
                before, state="resolved", change="moved", updated_ms=self._state.now_ms
            )
        else:
            del group.members[name]
            self._left(alert, group)
            if not group.members and not group.news_ms:
                self.drop(group)
        self._state.touch(GROUP + group.id)

    def _knows(self, group: GroupRow, member: Member) -> bool:
        """Whether receivers believe that the alert fires, and would be told of its end."""
        never = self._routing.by_key[group.route].resolved is ResolvedMessages.NEVER
        return member.told == "firing" and not never

    def _join(self, route: Route, alert: AlertRow) -> GroupRow:
        labels = route.group_labels(alert.labels)
        found = self._state.open.get((route.key, tuple(sorted(labels.items()))))
        group = self._state.groups[found] if found else self._opened(route, labels)
        member = group.members.get(alert.event.id)
        if member is None:
            member = group.members[alert.event.id] = Member()
            alert.groups = [*alert.groups, group.id]
            self._state.touch(ALERT + alert.event.id)
            self._state.touch(GROUP + group.id)
        if member.left:
            member.left = None
            self._state.touch(GROUP + group.id)
        return group

    def _opened(self, route: Route, labels: dict[str, str]) -> GroupRow:
        now = self._state.now_ms
        group = GroupRow(id=group_id(route.key, labels, now), route=route.key, labels=labels, opened_ms=now)
        self._state.groups[group.id] = group
        self._state.open[group.key] = group.id
        return group

    def _news(self, group: GroupRow, alert: AlertRow) -> None:
        """The group is due soon; one that becomes worse does not wait for its interval."""
        route, now = self._routing.by_key[group.route], self._state.now_ms
        due = now + route.group_wait_ms
        if route.digest is not None:
            due = route.digest.next_ms(now)
        elif group.revision and (_is_calm(group, alert) or group.members[alert.event.id].left):
            due = max(due, group.sent_ms + route.group_interval_ms)
        group.news_ms = min(group.news_ms or due, due)
        self._state.touch(GROUP + group.id)

    def look_again(self) -> None:
        """What hid alerts may hide them no longer."""
        for name in sorted(self._hidden):
            group = self._state.groups[name]
            route = self._routing.by_key[group.route]
            due = max(self._state.now_ms, group.sent_ms + route.group_interval_ms if group.revision else 0)
            if route.digest is not None:
                due = route.digest.next_ms(self._state.now_ms)
            group.news_ms = min(group.news_ms or due, due)
            self._state.touch(GROUP + name)

    def remind(self, alert: AlertRow, reason: str) -> None:
        """Nobody looks after the alert any longer: a reminder is due, and the wait for somebody begins again."""
        for name in alert.groups:
            group = self._state.groups[name]
            digest = self._routing.by_key[group.route].digest
            member = group.members[alert.event.id]
            if digest is None and member.told == "firing" and not member.left:
                group.repeat_ms, group.remind = self._state.now_ms, reason
                self._state.touch(GROUP + name)

    def attended(self, alert: AlertRow) -> None:
        """Somebody looks after the alert: its groups may have nothing left that waits."""
        for name in alert.groups:
            group = self._state.groups[name]
            route = self._routing.by_key[group.route]
            look = look_at(group, route, self._state.alerts, self._hidden_of(group))
            self._wait_for_somebody(group, route, look)
            self._state.touch(GROUP + name)

    # -- messages go

    def flush(self, group: GroupRow) -> None:
        """The group is due: what there is to say is planned, and when it is due next."""
        now, route = self._state.now_ms, self._routing.by_key[group.route]
        look = self._look(group, route)
        if look.sent and route.hours.closed(now, self._urgency(group, look)):
            self._hold(group, route)
            return
        remind = self._reminder(group)
        if 0 < group.escalate_ms <= now:
            self._escalate(group, route, look)
        decided = change_of(look, route, remind)
        if decided is not None:
            self._send(group, route, look, *decided)
        group.news_ms = 0
        if remind or decided is not None:
            group.repeat_ms = self._next_reminder_ms(route, look)
        self._wait_for_somebody(group, route, look)
        self._leave(group, route)

    def _look(self, group: GroupRow, route: Route) -> Look:
        """The group's alerts as they may be seen, which is noted down; what hides some is to be looked at again."""
        hidden = self._hidden_of(group)
        for name in group.members:
            alert = self._state.alerts[name]
            if alert.hidden_by != hidden.get(name, ""):
                alert.hidden_by = hidden.get(name, "")
                self._state.show_alert(alert)
        group.hidden = bool(hidden)
        (self._hidden.add if hidden else self._hidden.discard)(group.id)
        return look_at(group, route, self._state.alerts, hidden)

    def _hidden_of(self, group: GroupRow) -> dict[str, str]:
        reasons = {name: self._hidden_by(self._state.alerts[name]) for name in group.members}
        return {name: reason for name, reason in reasons.items() if reason}

    def _hidden_by(self, alert: AlertRow) -> str:
        """Why the alert may not be sent now: `inhibited/ALERT`, `maintenance/ID`, `silence/ID`, or empty."""
        inhibitor = self._inhibitors.inhibitor(alert)
        if inhibitor:
            return f"inhibited/{inhibitor}"
        mute = mute_of(alert, self._state.mutes.values(), self._state.now_ms)
        if mute is None:
            return ""
        return f"{'maintenance' if mute.planned else 'silence'}/{mute.id}"

    def _hold(self, group: GroupRow, route: Route) -> None:
        """The route is closed: what is due waits until it opens."""
        opens = route.hours.opens_ms(self._state.now_ms)
        group.news_ms = opens
        for field in ("repeat_ms", "escalate_ms"):
            if getattr(group, field):
                setattr(group, field, max(getattr(group, field), opens))
        self._state.touch(GROUP + group.id)

    def _urgency(self, group: GroupRow, look: Look) -> int:
        """The rank of the worst that there is to say: what is new, else what a reminder is about; -1 for ends."""
        again = any(0 < due <= self._state.now_ms for due in (group.repeat_ms, group.escalate_ms))
        about = [*look.new, *look.worse, *look.notes] or (look.firing if again else [])
        return max(map(_rank, about), default=-1)

    def _next_reminder_ms(self, route: Route, look: Look) -> int:
        """0 without one; alerts that are hidden now may be seen then."""
        fires = any(alert.fires for alert in (*look.firing, *look.hidden))
        return self._repeat_ms(route) if fires else 0

    def _repeat_ms(self, route: Route) -> int:
        """When a message of now would be repeated; 0: never."""
        wanted = route.repeat_interval_ms > 0 and route.digest is None
        return self._state.now_ms + route.repeat_interval_ms if wanted else 0

    def _reminder(self, group: GroupRow) -> str:
        """Why a reminder is due now; empty: none is."""
        if not 0 < group.repeat_ms <= self._state.now_ms:
            return ""
        reason, group.remind = group.remind or "repeat_interval", ""
        return reason

    def _send(self, group: GroupRow, route: Route, look: Look, change: GroupChange, reasons: tuple[str, ...]) -> None:
        for part in look.parts():
            group.revision += 1
            message = message_of(group, route, part, change, reasons, self._state.now_ms)
            for receiver in (route.receiver, *(step.receiver for step in route.escalations[: group.reached])):
                self._plan(route, message, receiver)
            if change is GroupChange.OPENED:
                change = GroupChange.UPDATED
        group.sent_ms, group.rank = self._state.now_ms, look.rank
        for alert in look.sent:
            member = group.members[alert.event.id]
            member.rank = _rank(alert)
            member.told = "moved" if member.left else "firing" if alert.fires else alert.event.state

    def _escalate(self, group: GroupRow, route: Route, look: Look) -> None:
        """The next receiver gets what nobody acknowledged."""
        group.escalate_ms = 0
        if look.waiting and group.steps < len(route.escalations):
            step = route.escalations[group.steps]
            group.steps += 1
            group.reached = max(group.reached, group.steps)
            group.revision += 1
            reasons = ("not_acknowledged",)
            message = message_of(group, route, look, GroupChange.ESCALATED, reasons, self._state.now_ms)
            self._plan(route, message, step.receiver)

    def warn(self, mute: str) -> None:
        """A silence ends soon: those who know of alerts under it are told which still fire.

        A digest says so itself: nothing is sent between two of them.
        """
        for name in sorted(self._hidden):
            group = self._state.groups[name]
            route = self._routing.by_key[group.route]
            under = self._firing_under(group, f"silence/{mute}") if route.digest is None else []
            if under and not route.hours.closed(self._state.now_ms, max(map(_rank, under))):
                group.revision += 1
                shown, reasons = Look(firing=under), ("silence_ends",)
                message = message_of(group, route, shown, GroupChange.EXPIRING, reasons, self._state.now_ms)
                self._plan(route, message, route.receiver)
                self._state.touch(GROUP + name)

    def _firing_under(self, group: GroupRow, reason: str) -> list[AlertRow]:
        hidden = [self._state.alerts[name] for name, by in self._hidden_of(group).items() if by == reason]
        return [alert for alert in hidden if alert.fires and not group.members[alert.event.id].left]

    def _plan(self, route: Route, message: AlertGroup, receiver: str) -> None:
        if not self._routing.delivers(route, receiver):
            return
        if receiver != message.receiver:
            message = msgspec.structs.replace(message, receiver=receiver, channel=receiver)
        self._state.effects.plans.append(Plan(receiver, message))

    def _wait_for_somebody(self, group: GroupRow, route: Route, look: Look) -> None:
        """When the next escalation is due; none once all alerts are acknowledged, hidden or over."""
        if not look.waiting or not group.revision:
            group.open_since_ms = group.steps = group.escalate_ms = 0
            return
        group.open_since_ms = group.open_since_ms or self._state.now_ms
        left = route.escalations[group.steps :]
        group.escalate_ms = group.open_since_ms + left[0].after_ms if left else 0

    # -- alerts leave

    def _leave(self, group: GroupRow, route: Route) -> None:
        """Alerts that are over and that no receiver believes to fire leave. A group without alerts is gone; one of
        notes is kept for its interval, so that the next ones do not come sooner. A digest has its own times.
        """
        for name in [name for name, member in group.members.items() if self._is_over(name, member, route)]:
            del group.members[name]
            self._left(self._state.alerts[name], group)
        ends = group.sent_ms + route.group_interval_ms
        if not group.members and group.rank == 0 and self._state.now_ms < ends and route.digest is None:
            group.news_ms = ends
        if not group.members and not group.news_ms:
            self.drop(group)
        self._state.touch(GROUP + group.id)

    def _is_over(self, name: str, member: Member, route: Route) -> bool:
        alert = self._state.alerts[name]
        if member.left:
            return member.told != "firing" or route.resolved is ResolvedMessages.NEVER
        passed_over = alert.hidden[0] in _PASSED_OVER
        if alert.noted:
            return bool(member.told) or passed_over
        never = route.resolved is ResolvedMessages.NEVER
        return not alert.fires and (member.told != "firing" or never)

    def _left(self, alert: AlertRow, group: GroupRow) -> None:
        alert.groups = [one for one in alert.groups if one != group.id]
        alert.past_groups = [*(one for one in alert.past_groups if one != group.id), group.id][-_PAST_GROUPS:]
        self._state.rest(alert)
        self._state.touch(ALERT + alert.event.id)

    def drop(self, group: GroupRow) -> None:
        """The group is gone, without a message."""
        for name in group.members:
            self._left(self._state.alerts[name], group)
        del self._state.groups[group.id]
        del self._state.open[group.key]
        self._hidden.discard(group.id)
        self._state.touch(GROUP + group.id)


def _is_calm(group: GroupRow, alert: AlertRow) -> bool:
    return severity_rank(alert.event.severity) <= group.rank or not alert.fires


def _rank(alert: AlertRow) -> int:
    return severity_rank(alert.event.severity)
