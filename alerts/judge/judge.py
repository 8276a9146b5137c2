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

from alerts.delivery.group import severity_rank
from alerts.judge.deciding import Deciding
from alerts.judge.entries import Clock, Decided, Effects, Entry, Event, Seal, View, ViewKind
from alerts.judge.grouping import Grouping
from alerts.judge.policy import Policy
from alerts.judge.routing import Routing
from alerts.judge.rows import ALERT, GROUP, META, AlertRow, encoded
from alerts.judge.state import State
from alerts.judge.ticks import Ticks
from alerts.records import AlertEvent, labels_of

__all__ = ["KEPT_ENDED", "Judge"]

KEPT_ENDED: Final = 2_000
"""Alerts that stay known after their end, the newest: events that come again after a crash are passed over, and a
relapse goes on under the same name."""


class Judge:
    """Applies entries in order. After each: write down what the effects plan, then `take_rows()`, then go on.

    `rows` are those that an earlier judge gave; alerts that fire join the routes of another `policy`. Raises
    `StateError` for a row that cannot be read.
    """

    def __init__(self, policy: Policy, rows: Mapping[str, bytes]) -> None:
        self._fingerprint = policy.fingerprint
        self._state = State(rows)
        self._ticks = Ticks(self._state.meta, self._state.held, self._state.dirty)
        self._routing = Routing(policy, (row.wish for row in self._state.subscriptions.values()))
        self._grouping = Grouping(self._state, self._routing)
        self._deciding = Deciding(self._state, self._routing, self._grouping)

    @property
    def position(self) -> int:
        """The last position of the log that was applied; -1 before the first."""
        return self._state.meta.position

    @property
    def now_ms(self) -> int:
        """The time of ticks."""
        return self._state.now_ms

    @property
    def lagging(self) -> tuple[int, ...]:
        """The partitions of mentions that the next tick waits for while others have sealed it."""
        return self._ticks.lagging

    @property
    def away(self) -> tuple[int, ...]:
        """The partitions of mentions that no tick waits for until they seal again."""
        return self._ticks.away

    @property
    def held(self) -> int:
        """How many events wait for their tick."""
        return len(self._ticks)

    @property
    def next_timer_ms(self) -> int | None:
        """When there is something to do without another entry, in the time of ticks."""
        found = self._state.next_timer()
        return found[0] if found else None

    def apply(self, entry: Entry, position: int) -> Effects:
        """Returns what follows from the entry; nothing for a position that was applied before."""
        effects = self._state.effects = Effects()
        meta = self._state.meta
        if position > meta.position:
            meta.position = position
            if meta.policy != self._fingerprint:
                self._grouping.regroup()
                meta.policy = self._fingerprint
            self._take(entry)
            at_ms = entry.at_ms if isinstance(entry, Clock) else 0
            self._advance(max(meta.now_ms, at_ms, self._ticks.horizon_ms or 0))
            self._forget()
            self._state.dirty[META] = encoded(meta)
        effects.next_timer_ms = self.next_timer_ms
        return effects

    def take_rows(self) -> dict[str, bytes | None]:
        """Returns the rows that changed since the last call (None: deleted), that of the position last."""
        return self._state.take_rows()

    def _take(self, entry: Entry) -> None:
        match entry:
            case Event():
                self._ticks.hold(entry)
            case Seal():
                self._ticks.seal(entry.partition, entry.of, entry.tick_ms)
            case Clock():
                self._ticks.without(entry.without)
            case Decided():
                self._state.effects.answers.append(self._deciding.answer(entry.decision))

    def _advance(self, until_ms: int) -> None:
        """Decides ticks and what is due, in the order of time, up to `until_ms`."""
        meta = self._state.meta
        while True:
            tick, timer = self._ticks.next_ms(self._ticks.horizon_ms), self.next_timer_ms
            if tick is not None and (timer is None or max(tick, meta.now_ms) <= timer):
                meta.now_ms = max(meta.now_ms, tick)
                for event in self._ticks.take(tick):
                    self._event(event.alert)
            elif timer is not None and timer <= until_ms:
                meta.now_ms = max(meta.now_ms, timer)
                self._due(self._state.pop_timer())
            else:
                break
        meta.now_ms = until_ms

    def _due(self, key: str) -> None:
        kind, name = key[: len(ALERT)], key[len(ALERT) :]
        if kind == GROUP:
            self._grouping.flush(self._state.groups[name])
        elif kind == ALERT:
            alert = self._state.alerts[name]
            self._deciding.unacknowledge(alert)
            alert.seen_version += 1
            self._state.show_alert(alert)
        else:
            self._mute_due(name)

    def _mute_due(self, name: str) -> None:
        mute = self._state.mutes[name]
        if mute.warn_ms:
            mute.warn_ms = 0
            self._grouping.warn(name)
            self._state.show_mute(mute)
        else:
            self._deciding.end(mute)

    # -- alerts

    def _event(self, event: AlertEvent) -> None:
        """A change of an alert's state, at its tick."""
        alert = self._state.alerts.get(event.id)
        before, labels_before = (alert.event, alert.labels) if alert is not None else (None, None)
        if alert is not None and event.revision <= alert.event.revision:
            return
        labels = event.labels or labels_of(event.rule, event.signal, event.series, event.kind, event.severity)
        if alert is None:
            alert = AlertRow(event=event, labels=labels, changed_ms=self.now_ms)
            self._state.alerts[event.id] = alert
        else:
            self._changed(alert, event, labels)
        self._grouping.take(alert, before, relabelled=labels_before not in (None, labels))
        self._state.rest(alert)
        self._state.show_alert(alert)

    def _changed(self, alert: AlertRow, event: AlertEvent, labels: dict[str, str]) -> None:
        """One that ends or becomes worse is acknowledged no longer."""
        worse = severity_rank(event.severity) > severity_rank(alert.event.severity)
        alert.event, alert.labels, alert.changed_ms = _with_titles(event, alert.event), labels, self.now_ms
        alert.seen_version += event.change != "ongoing"
        if worse or not alert.fires:
            alert.acknowledged_by, alert.acknowledged_until_ms = "", 0

    def _forget(self) -> None:
        """The oldest of the ended alerts that are too many are known no longer."""
        ended, alerts = self._state.ended, self._state.alerts
        while len(ended) > KEPT_ENDED:
            changed_ms, name = heapq.heappop(ended)
            alert = alerts.get(name)
            if alert is not None and alert.changed_ms == changed_ms and not alert.fires and not alert.groups:
                del alerts[name]
                self._state.touch(ALERT + name)
                self._state.effects.views.append(View(ViewKind.ALERT, name, alert.seen_version, None))


def _with_titles(event: AlertEvent, before: AlertEvent) -> AlertEvent:
    """The event with the headlines of the one before where it has none: an update comes without."""
    if not event.top_items:
        return msgspec.structs.replace(event, top_items=before.top_items)
    titled = {item.id: item for item in before.top_items if item.title}
    items = tuple(item if item.title else titled.get(item.id, item) for item in event.top_items)
    return msgspec.structs.replace(event, top_items=items)
