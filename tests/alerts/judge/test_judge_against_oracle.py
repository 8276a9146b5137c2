"""The judge sends what a plain function says, however partitions are mixed, and wherever it is restarted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import AlertEvent
from alerts.clock import MINUTE_MS
from alerts.judge import Decided, Event, Judge, Policy, Route, Seal
from alerts.judge.decisions import (
    Acknowledge,
    Decision,
    ExpireSilence,
    Maintenance,
    QuietHours,
    Silence,
    Subscribe,
    Unacknowledge,
)
from alerts.judge.hours import Hours, Interval
from alerts.judge.policy import Escalation, Inhibition, ResolvedMessages
from alerts.matchers import parse_matchers
from tests.alerts.judge.judge_harness import START_MS, Court, alert, at
from tests.alerts.judge.judge_oracle import Oracle, Sent

MINUTES = 150
NAMES = "abcdef"
SERIES = {
    "a": "everything", "b": "entity/b", "c": "entity/c", "d": "source/d", "e": "watchlist/banks", "f": "entity/f"
}  # fmt: skip
EVERY = 7


OVER = Inhibition(parse_matchers("kind=everything"), parse_matchers("kind=entity"), ("signal",))
UNDER = Inhibition(parse_matchers("kind=entity"), parse_matchers("kind=~everything|watchlist"))
WORSE = Inhibition(parse_matchers("severity=critical"), parse_matchers("severity=warning"), ("kind",))
CIRCLE = (
    Inhibition(parse_matchers("kind=entity"), parse_matchers("kind=source")),
    Inhibition(parse_matchers("kind=source"), parse_matchers("kind=watchlist")),
    Inhibition(parse_matchers("kind=watchlist"), parse_matchers("kind=entity"), ("severity",)),
)


@dataclass(frozen=True)
class World:
    """What happens in each minute, and the policy."""

    policy: Policy
    events: dict[int, list[AlertEvent]]
    decisions: dict[int, list[Decision]]


@st.composite
def routes(draw: st.DrawFn, key: str) -> Route:
    steps = draw(st.sampled_from([(), (("boss", 10),), (("boss", 10), ("chief", 25))]))
    quiet = Hours(muted=(Interval(minutes=((22 * 60 + 30, 23 * 60),)),))
    return Route(
        key=key,
        receiver=draw(st.sampled_from(["mail", "pager"])),
        matchers=parse_matchers(
            draw(
                st.sampled_from(
                    ["", "severity=critical", "severity=warning", "kind=~entity|source", "kind!=entity", "team=blue"]
                )
            )
        ),
        group_by=draw(st.sampled_from([(), ("signal",), ("kind",), ("series",), ("severity",), ("...",), ("team",)])),
        group_wait_ms=draw(st.sampled_from([0, 2, 5])) * MINUTE_MS,
        group_interval_ms=draw(st.sampled_from([1, 5, 15])) * MINUTE_MS,
        repeat_interval_ms=draw(st.sampled_from([0, 20, 45])) * MINUTE_MS,
        resolved=draw(st.sampled_from(list(ResolvedMessages))),
        escalations=tuple(Escalation(minutes * MINUTE_MS, receiver) for receiver, minutes in steps),
        hours=draw(st.sampled_from([Hours(), Hours(), quiet])),
        goes_on=draw(st.booleans()),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    below = tuple(draw(routes(key=f"r{number}")) for number in range(draw(st.integers(0, 3))))
    return Policy(
        root=Route(key="", receiver="mail", routes=below),
        receivers=frozenset({"mail", "pager", "boss", "chief"}),
        inhibitions=draw(st.sampled_from([(), (OVER,), (OVER, UNDER), CIRCLE, (WORSE, *CIRCLE)])),
    )


@st.composite
def lives(draw: st.DrawFn, name: str) -> list[AlertEvent]:
    """The events of one alert, in order."""
    minute, revision, severity, events = draw(st.integers(1, 60)), 1, draw(st.sampled_from(["warning", "critical"])), []
    if draw(st.integers(0, 5)) == 0:
        return [alert(name, minute, "noted", severity="info", series=SERIES[name])]
    own = {"team": "red"}
    events.append(alert(name, minute, severity=severity, series=SERIES[name], own=own))
    for _ in range(draw(st.integers(0, 5))):
        minute, revision = minute + draw(st.integers(1, 25)), revision + 1
        if minute >= MINUTES:
            break
        if events[-1].state == "resolved":
            change, severity = "reopened", draw(st.sampled_from(["warning", "critical"]))
        else:
            change = draw(st.sampled_from(["ongoing", "escalated", "resolved", "resolved"]))
        severity = "critical" if change == "escalated" else severity
        own = {"team": draw(st.sampled_from([own["team"], "red", "blue"]))}  # as by a rule that was changed
        events.append(alert(name, minute, change, revision=revision, severity=severity, series=SERIES[name], own=own))
    return events


@st.composite
def choices(draw: st.DrawFn, number: int, minute: int) -> Decision:
    """What somebody decides in a minute."""
    more: dict[str, Any] = {"id": f"d{number}", "by": "ann", "at_ms": at(minute)}
    target = draw(st.sampled_from(NAMES))
    length = draw(st.sampled_from([4, 20, 60]))
    about = [
        "kind=entity",
        'series="entity/b"',
        "severity=~.+",
        "kind=~source|watchlist",
        "severity=warning",
        "team=red",
    ]
    matchers = (draw(st.sampled_from(about)),)
    match draw(st.integers(0, 6)):
        case 0 | 1:
            return Acknowledge(target=target, until_ms=at(minute + length), **more)
        case 2:
            return Unacknowledge(target=target, **more)
        case 3:
            return Silence(matchers=matchers, ends_ms=at(minute + length), until_worse=draw(st.booleans()), **more)
        case 4:
            starts = minute + draw(st.integers(-5, 15))
            return Maintenance(starts_ms=at(starts), ends_ms=at(starts + length), matchers=matchers, **more)
        case 5:
            return ExpireSilence(silence=f"d{draw(st.integers(0, max(number - 1, 0)))}", **more)
    return Subscribe(
        name=draw(st.sampled_from(["x", "y"])),
        channel="mail",
        matchers=draw(st.sampled_from([(), matchers])),
        minimum_severity=draw(st.sampled_from(["info", "warning", "critical"])),
        group_by=draw(st.sampled_from([(), ("signal",), ("kind",), ("severity",), ("kind", "team")])),
        quiet=draw(st.sampled_from([None, QuietHours("22:20", "22:50")])),
        digest=draw(st.sampled_from(["", "", "hour"])),
        **more,
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    events: dict[int, list[AlertEvent]] = {}
    for name in NAMES:
        for event in draw(lives(name)):
            events.setdefault((event.updated_ms - START_MS) // MINUTE_MS, []).append(event)
    decisions: dict[int, list[Decision]] = {}
    for number in range(draw(st.integers(0, 8))):
        minute = draw(st.integers(0, MINUTES - 30))
        decisions.setdefault(minute, []).append(draw(choices(number, minute)))
    return World(draw(policies()), events, decisions)


def expected(world: World) -> list[Sent]:
    oracle = Oracle(world.policy, START_MS)
    for minute in range(MINUTES):
        oracle.minute(world.events.get(minute, []), world.decisions.get(minute, []), at(minute))
    return oracle.sent


def judged(world: World, *, of: int, restarts: int, shuffled: int) -> list[Sent]:
    """What the judge sends: events spread over `of` partitions, every `restarts`-th minute a new judge."""
    court = Court(world.policy)
    last = 0
    for minute in range(MINUTES):
        events = world.events.get(minute, [])
        turn = shuffled % (len(events) or 1)
        for event in [*events[turn:], *events[:turn]]:
            court.apply(Event(event, ord(event.id) % of, event.updated_ms))
        if minute in world.decisions or minute % EVERY == 0 or minute == MINUTES - 1:
            for partition in range(of):  # partitions lag: a seal stands for all the minutes since the last one
                court.apply(Seal(partition, of, at(minute)))
            last = minute
        court.apply(*map(Decided, world.decisions.get(minute, [])))
        if restarts and minute % restarts == 0:
            court.judge = Judge(world.policy, court.rows)
    assert last == MINUTES - 1
    return [(receiver, minute, change, frozenset(names)) for receiver, minute, change, names in court.sent()]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(worlds(), st.integers(1, 3), st.sampled_from([0, 1, 11]), st.integers(0, 5))
def test_the_judge_sends_what_the_oracle_says(world: World, of: int, restarts: int, shuffled: int) -> None:
    assert ordered(judged(world, of=of, restarts=restarts, shuffled=shuffled)) == ordered(expected(world))


def ordered(sent: list[Sent]) -> list[tuple[float, str, str, list[str]]]:
    """In the order of time; groups that are due in one minute have none."""
    return sorted((minute, receiver, change, sorted(names)) for receiver, minute, change, names in sent)
