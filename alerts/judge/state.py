"""What the judge knows, in memory and as rows, and what is due when.

rows ─► State: alerts, groups, mutes, subscriptions, watchlists, answers ─► changed rows
                 └─► timers: the next that is due, by time, then by name
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

import msgspec

from alerts.judge.entries import Effects, View, ViewKind
from alerts.judge.rows import (
    ALERT,
    ANSWER,
    GROUP,
    META,
    MUTE,
    SUBSCRIPTION,
    WATCHLIST,
    AlertRow,
    AnswerRow,
    GroupRow,
    HeldRow,
    MetaRow,
    MuteRow,
    SubscriptionRow,
    WatchlistRow,
    encoded,
    row_of,
)

__all__ = ["State"]


class State:
    """All of the judge's state but held events. `effects` are those of the entry that is applied."""

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        self.meta = row_of(rows[META], MetaRow) if META in rows else MetaRow()
        self.effects = Effects()
        self.alerts: dict[str, AlertRow] = {}
        self.groups: dict[str, GroupRow] = {}
        self.open: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}
        self.mutes: dict[str, MuteRow] = {}
        self.subscriptions: dict[str, SubscriptionRow] = {}
        self.watchlists: dict[str, WatchlistRow] = {}
        self.answers: dict[str, AnswerRow] = {}
        self.held: list[HeldRow] = []
        self.dirty: dict[str, bytes | None] = {}
        self._changed: set[str] = set()
        self.ended: list[tuple[int, str]] = []
        self._timers: list[tuple[int, str]] = []
        self._set: dict[str, int] = {}
        for key, data in rows.items():
            self._restore(key, data)
        for alert in self.alerts.values():
            self.rest(alert)

    def _restore(self, key: str, data: bytes) -> None:
        name = key[len(ALERT) :]
        match key[: len(ALERT)]:
            case "j/a/":
                self.alerts[name] = row_of(data, AlertRow)
            case "j/g/":
                group = self.groups[name] = row_of(data, GroupRow)
                self.open[group.key] = name
            case "j/m/":
                self.mutes[name] = row_of(data, MuteRow)
            case "j/s/":
                self.subscriptions[name] = row_of(data, SubscriptionRow)
            case "j/w/":
                self.watchlists[name] = row_of(data, WatchlistRow)
            case "j/d/":
                self.answers[name] = row_of(data, AnswerRow)
            case "j/h/":
                self.held.append(row_of(data, HeldRow))
        self._set_timer(key)

    @property
    def now_ms(self) -> int:
        """The time of ticks."""
        return self.meta.now_ms

    # -- rows

    def touch(self, key: str) -> None:
        """The row changed, is new or is gone; what it is due for is looked at again."""
        self._changed.add(key)
        self._set_timer(key)

    def take_rows(self) -> dict[str, bytes | None]:
        """Returns the rows that changed since the last call, the one of `META` last; None is deleted."""
        for key in self._changed:
            found = self._row(key)
            self.dirty[key] = None if found is None else encoded(found)
        rows = dict(self.dirty)
        if META in rows:
            rows[META] = rows.pop(META)
        self.dirty.clear()
        self._changed.clear()
        return rows

    def _row(self, key: str) -> msgspec.Struct | None:
        tables: dict[str, Mapping[str, msgspec.Struct]] = {
            ALERT: self.alerts,
            GROUP: self.groups,
            MUTE: self.mutes,
            SUBSCRIPTION: self.subscriptions,
            WATCHLIST: self.watchlists,
            ANSWER: self.answers,
        }
        return tables[key[: len(ALERT)]].get(key[len(ALERT) :])

    def rest(self, alert: AlertRow) -> None:
        """An alert that is over and in no group may be forgotten; `ended` has the oldest first."""
        if not alert.fires and not alert.groups:
            heapq.heappush(self.ended, (alert.changed_ms, alert.event.id))

    # -- timers

    def next_timer(self) -> tuple[int, str] | None:
        """When the next row is due, and its key."""
        while self._timers:
            due, key = self._timers[0]
            if self._set.get(key) == due:
                return due, key
            heapq.heappop(self._timers)  # it is due at another time since, or gone
        return None

    def pop_timer(self) -> str:
        """Returns the key of the row that is due next, which is due no more until it is touched."""
        _, key = heapq.heappop(self._timers)
        del self._set[key]
        return key

    def _set_timer(self, key: str) -> None:
        due = self._due_ms(key)
        if not due:
            self._set.pop(key, None)
        elif self._set.get(key) != due:
            self._set[key] = due
            heapq.heappush(self._timers, (due, key))

    def _due_ms(self, key: str) -> int:
        name = key[len(ALERT) :]
        if key.startswith(GROUP):
            return self.groups[name].due_ms if name in self.groups else 0
        if key.startswith(ALERT):
            return self.alerts[name].acknowledged_until_ms if name in self.alerts else 0
        if key.startswith(MUTE):
            return self.mutes[name].due_ms if name in self.mutes else 0
        return 0

    # -- views

    def show_alert(self, alert: AlertRow) -> None:
        """The alert changed, and people see it so from now on."""
        self.touch(ALERT + alert.event.id)
        self.effects.views.append(
            View(ViewKind.ALERT, alert.event.id, alert.seen_version, msgspec.structs.replace(alert))
        )

    def show_mute(self, mute: MuteRow, *, gone: bool = False) -> None:
        """The silence or maintenance window changed or is gone."""
        self.touch(MUTE + mute.id)
        kind = ViewKind.MAINTENANCE if mute.planned else ViewKind.SILENCE
        body = None if gone else msgspec.structs.replace(mute)
        self.effects.views.append(View(kind, mute.id, mute.seen_version, body))
