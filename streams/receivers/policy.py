"""From routes.yaml to the policy that the judge follows: names looked up, what routes inherit filled in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from alerts.clock import HOUR_MS, MINUTE_MS
from alerts.judge import Policy, Route
from alerts.judge.hours import ALWAYS, Hours, Interval
from alerts.judge.policy import Escalation, Inhibition
from alerts.matchers import Matcher, parse_matcher
from streams.receivers.entries import RoutesFile
from streams.receivers.routes import InhibitEntry, RouteEntry, duration_ms
from streams.userfiles import read_file, shaped, suggestion

__all__ = ["inhibition_of", "read_policy"]

_ROOT: Final = Route(
    key="",
    receiver="",
    group_wait_ms=MINUTE_MS // 2,
    group_interval_ms=5 * MINUTE_MS,
    repeat_interval_ms=4 * HOUR_MS,
)
"""What the root route does not say, as in Alertmanager."""


def read_policy(path: str | Path | None, receivers: Iterable[str]) -> Policy:
    """Returns the policy of the file; without a file or its section `route` every receiver gets every alert.

    `receivers` are the names of all channels. Raises `WrongFile` with every mistake in the file.
    """
    names = tuple(receivers)
    if path is None:
        return Policy.default(names)
    file = read_file(path)
    found = shaped(file, RoutesFile) or RoutesFile()
    known = _Names(
        names, {one.name: tuple(each.interval for each in one.time_intervals) for one in found.time_intervals}
    )
    for problem in _problems(found, known):
        file.problem_in(*problem)
    file.refuse()
    inhibitions = tuple(map(inhibition_of, found.inhibit_rules))
    policy = Policy.default(names) if found.route is None else _policy(found.route, known)
    addressed = frozenset(one.name for one in found.receivers if one.email is not None)
    return replace(policy, inhibitions=inhibitions, addressed=addressed)


@dataclass(frozen=True, slots=True)
class _Names:
    """What a route may name."""

    receivers: Collection[str]
    intervals: Mapping[str, tuple[Interval, ...]]


_Problem = tuple[object, tuple[str | int, ...], str]


def _problems(file: RoutesFile, known: _Names) -> Iterator[_Problem]:
    """What lies across the entries: each with the struct that it is in."""
    seen: set[str] = set()
    for interval in file.time_intervals:
        if interval.name in seen:
            yield interval, ("name",), f"there is another time interval {interval.name!r}; give each its own name"
        seen.add(interval.name)
    if file.route is not None:
        if file.route.receiver is None:
            yield file.route, (), "the key 'receiver' is missing; name who gets what no other route takes"
        if file.route.matchers or file.route.goes_on:
            yield file.route, (), "the root route takes every alert; write matchers and continue below 'routes'"
        yield from _of_route(file.route, known)


def _of_route(route: RouteEntry, known: _Names) -> Iterator[_Problem]:
    if route.receiver is not None and route.receiver not in known.receivers:
        yield route, ("receiver",), _unknown("receiver", route.receiver, known.receivers)
    for step in route.escalate or ():
        if step.receiver not in known.receivers:
            yield step, ("receiver",), _unknown("receiver", step.receiver, known.receivers)
    for key in ("mute_time_intervals", "active_time_intervals"):
        for number, name in enumerate(getattr(route, key)):
            if name not in known.intervals:
                yield route, (key, number), _unknown("time interval", name, known.intervals)
    for below in route.routes:
        yield from _of_route(below, known)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    return f"there is no {what} {name!r}; {suggestion(name, known)}"


def _policy(root: RouteEntry, known: _Names) -> Policy:
    return Policy(root=_route(root, _ROOT, "route", known), receivers=frozenset(known.receivers))


def _route(entry: RouteEntry, above: Route, key: str, known: _Names) -> Route:
    """The entry as a route; what it does not say is as in the one above."""
    route = replace(
        above,
        key=key,
        receiver=above.receiver if entry.receiver is None else entry.receiver,
        matchers=_matchers(entry.matchers),
        group_by=above.group_by if entry.group_by is None else entry.group_by,
        group_wait_ms=_ms(entry.group_wait, above.group_wait_ms),
        group_interval_ms=_ms(entry.group_interval, above.group_interval_ms),
        repeat_interval_ms=_ms(entry.repeat_interval, above.repeat_interval_ms),
        resolved=entry.resolved or above.resolved,
        escalations=above.escalations if entry.escalate is None else _escalations(entry),
        hours=_hours(entry, known),
        goes_on=entry.goes_on,
        routes=(),
    )
    keys: dict[str, int] = {}
    return replace(route, routes=tuple(_route(below, route, _key(key, below, keys), known) for below in entry.routes))


def _key(above: str, entry: RouteEntry, keys: dict[str, int]) -> str:
    """Names a route by what it says rather than by its place, so that its groups outlive a change of others."""
    matchers = ",".join(sorted(str(one) for one in _matchers(entry.matchers)))
    key = f"{above}/{{{matchers}}}>{entry.receiver or ''}"
    keys[key] = keys.get(key, 0) + 1
    return key if keys[key] == 1 else f"{key}#{keys[key]}"


def _matchers(texts: Iterable[str]) -> tuple[Matcher, ...]:
    return tuple(map(parse_matcher, texts))


def _ms(text: str | None, otherwise: int) -> int:
    return otherwise if text is None else duration_ms(text)


def _escalations(entry: RouteEntry) -> tuple[Escalation, ...]:
    return tuple(Escalation(duration_ms(step.after), step.receiver) for step in entry.escalate or ())


def _hours(entry: RouteEntry, known: _Names) -> Hours:
    muted = tuple(one for name in entry.mute_time_intervals for one in known.intervals[name])
    active = tuple(one for name in entry.active_time_intervals for one in known.intervals[name])
    return Hours(muted, active) if muted or active else ALWAYS


def inhibition_of(entry: InhibitEntry) -> Inhibition:
    """Returns the rule of an entry without mistakes."""
    return Inhibition(_matchers(entry.source_matchers), _matchers(entry.target_matchers), entry.equal)
