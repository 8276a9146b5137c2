"""Logs as workers leave them: four partitions seal hours at once and at their own pace, what they sent comes again,
and people decide in between, some by what ends together. The judge agrees with the plain function.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import AlertEvent
from alerts.clock import DAY_MS, HOUR_MS, MINUTE_MS
from alerts.judge import Decided, Decision, Entry, Event, Judge, Policy, Route, Seal
from alerts.judge.decisions import Acknowledge, Silence, Subscribe
from alerts.judge.policy import Escalation, Inhibition
from alerts.matchers import parse_matchers
from tests.alerts.judge.judge_harness import START_MS, alert, at
from tests.alerts.judge.judge_oracle import Sent
from tests.alerts.judge.log_oracle import said, start_of, times_in
from tests.alerts.judge.wishes import WISHES

HOP_MS = MINUTE_MS // 2
PARTITIONS = 4
LONGEST_MS = 3 * DAY_MS
SERIES = ["everything", "source/a", "source/b", "entity/SIVB", "entity/SBNY", "entity/f", "watchlist/svb"]
EVERY = {"repeat_interval_ms": 4 * HOUR_MS, "group_wait_ms": HOP_MS}
POLICY = Policy(
    root=Route(
        key="",
        receiver="desk",
        routes=(
            Route(
                key="critical",
                receiver="pager",
                matchers=parse_matchers("severity=critical"),
                escalations=(Escalation(30 * MINUTE_MS, "boss"),),
                goes_on=True,
                **EVERY,  # type: ignore[arg-type]
            ),
            Route(
                key="all",
                receiver="desk",
                group_by=("signal",),
                group_wait_ms=2 * MINUTE_MS,
                repeat_interval_ms=4 * HOUR_MS,
            ),
        ),
    ),
    receivers=frozenset({"desk", "pager", "boss", "mail"}),
    inhibitions=(Inhibition(parse_matchers("kind=everything"), parse_matchers("kind=source"), ("signal",)),),
)


@dataclass
class Day:
    """A few days of news, made by chance."""

    chance: random.Random

    def hop(self, first_ms: int, last_ms: int) -> int:
        """A tick between the two, more often than not at a whole hour or just beside one."""
        tick_ms = self.chance.randrange(first_ms // HOP_MS, max(last_ms // HOP_MS, first_ms // HOP_MS + 1)) * HOP_MS
        if self.chance.random() < 0.5:
            hour_ms = round((START_MS + tick_ms) / HOUR_MS) * HOUR_MS - START_MS
            tick_ms = hour_ms + self.chance.choice((-1, 0, 0, 1)) * HOP_MS
        return min(max(tick_ms, first_ms), last_ms) // HOP_MS * HOP_MS

    def life(self, series: str) -> Iterator[AlertEvent]:
        """The events of a series' alert, in order."""
        now_ms, severity, change = self.hop(HOUR_MS, LONGEST_MS // 2), self.chance.choice(["warning", "critical"]), ""
        for revision in range(1, self.chance.randrange(2, 12)):
            change = self._change(change, severity)
            severity = "critical" if change == "escalated" else severity
            minute = now_ms / MINUTE_MS
            yield alert(series, minute, change, revision=revision, severity=severity, series=series)
            now_ms = self.hop(now_ms + HOP_MS, now_ms + self.chance.choice((HOUR_MS, 9 * HOUR_MS)))
            if now_ms >= LONGEST_MS:
                return

    def _change(self, before: str, severity: str) -> str:
        if not before or before == "resolved":
            return "reopened" if before else "opened"
        return self.chance.choice(["ongoing", "ongoing", "resolved", *(["escalated"] if severity == "warning" else [])])

    def partition(self, number: int, events: list[AlertEvent]) -> list[Entry]:
        """What one partition of mentions writes: its events up to a tick, then the seal; some of it twice."""
        ticks = sorted({self.hop(0, LONGEST_MS) for _ in range(self.chance.randrange(2, 40))} | {0, LONGEST_MS})
        waiting = sorted((one for one in events if of(one) == number), key=lambda one: (one.updated_ms, one.revision))
        found: list[Entry] = []
        for tick_ms in ticks:
            own: list[Entry] = []
            while waiting and waiting[0].updated_ms <= at(0) + tick_ms:
                event = waiting.pop(0)
                own.append(Event(event, number, event.updated_ms))
            found += [*own, Seal(number, PARTITIONS, at(0) + tick_ms)]
            if self.chance.random() < 0.2:  # a worker died after it had sent this
                found += found[-self.chance.randrange(1, 6) :]
        return found

    def mixed(self, parts: list[list[Entry]]) -> list[Entry]:
        """One log, in which a partition may be far ahead of another one."""
        found: list[Entry] = []
        while left := [part for part in parts if part]:
            part = self.chance.choice(left)
            count = self.chance.randrange(1, 9)
            found += part[:count]
            del part[:count]
        return found

    def deciding(self, log: list[Entry], events: list[AlertEvent]) -> list[Entry]:
        """People decide now and then about what fires, for hours, two of three at a place where several do."""
        times = times_in(enumerate(log))
        places = sorted(self.chance.sample(range(len(times)), min(5, len(times))))
        more: dict[int, list[Entry]] = {}
        for place in places:
            offset, now_ms = times[place]
            ends_ms = now_ms + self.chance.choice((1, 6, 6, 24)) * HOUR_MS
            newest = {event.id: event for event in events if event.updated_ms <= now_ms}
            firing = [event for event in newest.values() if event.state != "resolved"]
            made = [] if more else [self._wish(number) for number in range(len(WISHES))]
            made += [self._choice(f"{place}/{number}", event, ends_ms) for number, event in enumerate(firing)]
            more[offset] = list(map(Decided, made))
        return [one for offset, entry in enumerate(log) for one in (entry, *more.get(offset, ()))]

    def _wish(self, number: int) -> Decision:
        return Subscribe(id=f"w{number}", by="p", at_ms=at(0), name=f"p{number}", channel="mail", **WISHES[number])

    def _choice(self, name: str, event: AlertEvent, ends_ms: int) -> Decision:
        more: dict[str, Any] = {"id": name, "by": "ann", "at_ms": at(0)}
        if self.chance.random() < 0.5:
            return Acknowledge(target=event.id, until_ms=ends_ms, **more)
        return Silence(
            matchers=(f'series="{event.series}"',), ends_ms=ends_ms, until_worse=self.chance.random() < 0.5, **more
        )


def of(event: AlertEvent) -> int:
    return sum(event.series.encode()) % PARTITIONS


def judged(log: list[Entry], start_ms: int) -> list[Sent]:
    judge, found = Judge(POLICY, {}), list[Sent]()
    for place, entry in enumerate(log):
        for plan in judge.apply(entry, place).plans:
            names = frozenset(event.id for event in plan.group.alerts)
            minute = (plan.group.at_ms - start_ms) / MINUTE_MS
            found.append((plan.receiver, minute, plan.group.change.value, names))
    return found


def check(seed: int) -> int:
    """How many messages there are in the world of this number."""
    day = Day(random.Random(seed))
    events = [event for series in SERIES for event in day.life(series)]
    log = day.mixed([day.partition(number, events) for number in range(PARTITIONS)])
    log = day.deciding(log, events)
    times = times_in(enumerate(log))
    decisions = [(place, entry.decision) for place, entry in enumerate(log) if isinstance(entry, Decided)]
    wanted = said(POLICY, events, decisions, times, HOP_MS)
    found = judged(log, start_of(times))
    assert ordered(found) == ordered(wanted)
    return len(found)


def ordered(sent: list[Sent]) -> list[tuple[float, str, str, list[str]]]:
    return sorted((minute, receiver, change, sorted(names)) for receiver, minute, change, names in sent)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9))
def test_the_judge_agrees_however_the_log_is_mixed(seed: int) -> None:
    check(seed)
