"""A short language for the judge's tests: alerts by name, ticks in minutes, and what was sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from alerts import AlertEvent
from alerts.clock import MINUTE_MS
from alerts.judge import Clock, Decided, Decision, Effects, Entry, Event, Judge, Policy, Seal
from alerts.records import Expected, Observed, Peak, WindowSpan, labels_of

_STATES = {"resolved": "resolved", "noted": "noted"}

START_MS = 1_700_000_040_000
"""A whole minute."""


def at(minute: float) -> int:
    """The time of a minute after the start, in ms."""
    return START_MS + int(minute * MINUTE_MS)


def alert(
    name: str,
    minute: float,
    change: str = "opened",
    *,
    revision: int = 1,
    severity: str = "warning",
    series: str = "",
    signal: str = "negative",
    p_value: float = 1e-5,
    own: Mapping[str, str] | None = None,
) -> AlertEvent:
    """A change of the alert `name` at a minute; `own` are the labels of its rule."""
    series = series or f"entity/{name}"
    kind = series.split("/")[0]
    now = at(minute)
    return AlertEvent(
        id=name,
        revision=revision,
        signal=signal,
        rule="volume",
        series=series,
        kind=kind,
        state=_STATES.get(change, "escalated" if severity == "critical" else "firing"),
        change=change,
        severity=severity,
        onset_ms=now,
        updated_ms=now,
        window=WindowSpan(now - 900_000, now, 900),
        observed=Observed(3, 4),
        expected=Expected(0.1, 0.4, (0, 1)),
        p_value=p_value,
        level=1e-3,
        peak=Peak(now, 900, 3, 4, 0.1, (0, 1), p_value),
        reasons=(),
        top_items=(),
        labels=labels_of("volume", signal, series, kind, severity, own) if own else {},
    )


class Court:
    """A judge, its log and what came of it; after each entry it may be made again from its rows."""

    def __init__(self, policy: Policy, *, restart: bool = False) -> None:
        self.policy = policy
        self.rows: dict[str, bytes] = {}
        self.judge = Judge(policy, self.rows)
        self.effects: list[Effects] = []
        self._restart = restart
        self._position = -1

    def apply(self, *entries: Entry) -> list[Effects]:
        """Applies the entries, each at the next position."""
        found = []
        for entry in entries:
            self._position += 1
            found.append(self.judge.apply(entry, self._position))
            self._write()
        self.effects += found
        return found

    def _write(self) -> None:
        for key, value in self.judge.take_rows().items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        if self._restart:
            self.judge = Judge(self.policy, self.rows)

    def events(self, *events: AlertEvent, partition: int = 0) -> list[Effects]:
        """The events of a partition, at the ticks of their times."""
        return self.apply(*(Event(event, partition, event.updated_ms) for event in events))

    def tick(self, minute: float, of: int = 1) -> list[Effects]:
        """All partitions seal the minute."""
        return self.apply(*(Seal(partition, of, at(minute)) for partition in range(of)))

    def clock(self, minute: float, *without: int) -> list[Effects]:
        return self.apply(Clock(at(minute), without))

    def decide(self, decision: Decision) -> str:
        """The answer's outcome."""
        [effects] = self.apply(Decided(decision))
        [answer] = effects.answers
        return answer.outcome.value

    def sent(self) -> list[tuple[str, float, str, tuple[str, ...]]]:
        """Receiver, minute, change and the alerts of each message."""
        return [
            (
                plan.receiver,
                (plan.group.at_ms - START_MS) / MINUTE_MS,
                plan.group.change.value,
                names(plan.group.alerts),
            )
            for effects in self.effects
            for plan in effects.plans
        ]


def names(alerts: Iterable[AlertEvent]) -> tuple[str, ...]:
    return tuple(event.id for event in alerts)


def rows_equal(one: Court, other: Court) -> bool:
    """Whether two judges would go on alike."""
    plain = [{key: msgspec.msgpack.decode(row) for key, row in court.rows.items()} for court in (one, other)]
    return plain[0] == plain[1]
