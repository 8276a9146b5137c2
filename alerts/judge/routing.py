"""Which routes an alert takes: those of the policy's tree, and one for each person who wants it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from alerts.clock import MINUTE_MS
from alerts.delivery.group import severity_rank
from alerts.judge.decisions import QuietHours, Subscribe
from alerts.judge.hours import ALWAYS, DAY_MINUTES, Digest, Hours, Interval
from alerts.judge.mutes import compiled
from alerts.judge.policy import Person, Policy, Route
from alerts.matchers import Matcher
from alerts.times import minute_of_day, zone_of

__all__ = ["Routing", "route_of"]

DIGESTS: Final = ("", "hour", "day")
_WAIT_MS: Final = 2 * MINUTE_MS
_INTERVAL_MS: Final = 15 * MINUTE_MS
_PERSONS: Final = "person/"
_MOST_FOUND: Final = 20_000
"""Labels whose routes are kept: series and severities come again and again."""


class Routing:
    """The policy's routes and the subscribers' by their keys."""

    def __init__(self, policy: Policy, wishes: Iterable[Subscribe]) -> None:
        self.policy = policy
        self.by_key = {route.key: route for route in policy.root.walk()}
        self._persons: dict[str, Route] = {}
        self._found: dict[tuple[tuple[str, str], ...], list[Route]] = {}
        for wish in wishes:
            self.subscribe(wish)

    def subscribe(self, wish: Subscribe) -> Route:
        """Returns the person's route from now on. Raises `MatcherError` or `ValueError` for a wish that is wrong."""
        route = route_of(wish)
        self._persons[route.key] = self.by_key[route.key] = route
        self._found.clear()
        return route

    def unsubscribe(self, name: str) -> Route:
        """Returns the route of a person who wants nothing any more."""
        route = self._persons.pop(_PERSONS + name)
        del self.by_key[route.key]
        self._found.clear()
        return route

    def routes_of(self, labels: Mapping[str, str]) -> list[Route]:
        """Returns the routes that such an alert takes."""
        key = tuple(labels.items())
        found = self._found.get(key)
        if found is None:
            persons = (route for route in self._persons.values() if route.takes(labels))
            found = [*self.policy.routes_of(labels), *persons]
            if len(self._found) >= _MOST_FOUND:
                self._found.clear()
            self._found[key] = found
        return found

    def delivers(self, route: Route, receiver: str) -> bool:
        """Whether the settings have the receiver."""
        return (route.person.channel if route.person else receiver) in self.policy.receivers


def route_of(wish: Subscribe) -> Route:
    """Returns the route of a subscription. Raises `MatcherError` or `ValueError` for one that is wrong."""
    zone = zone_of(wish.time_zone)
    if wish.digest not in DIGESTS:
        raise ValueError(f"there is no digest {wish.digest!r}; write hour or day, or leave it out")
    digest = Digest(minute_of_day(wish.digest_at) if wish.digest == "day" else None, zone) if wish.digest else None
    return Route(
        key=_PERSONS + wish.name,
        receiver=f"{wish.channel}/{wish.name}",
        matchers=(*_watchlists(wish.watchlists), *compiled(wish.matchers)),
        group_by=wish.group_by,
        group_wait_ms=_WAIT_MS,
        group_interval_ms=_INTERVAL_MS,
        minimum_rank=severity_rank(wish.minimum_severity),
        hours=ALWAYS if wish.quiet is None else _quiet(wish.quiet, wish.time_zone),
        digest=digest,
        person=Person(wish.name, wish.channel, wish.address, wish.language),
    )


def _watchlists(names: tuple[str, ...]) -> tuple[Matcher, ...]:
    if not names:
        return ()
    return (Matcher("series", "=~", "|".join(f"watchlist/{_quoted(name)}(/.*)?" for name in names)),)


def _quoted(text: str) -> str:
    return "".join(char if char.isalnum() or not char.isascii() else f"\\x{{{ord(char):x}}}" for char in text)


def _quiet(hours: QuietHours, zone: str) -> Hours:
    start, end = minute_of_day(hours.start), minute_of_day(hours.end)
    if start == end:  # accepted once, now a fault (`alerts.judge.faults`): no hour is quiet, rather than every one
        return ALWAYS
    spans = ((start, end),) if start < end else ((start, DAY_MINUTES), (0, end))
    return Hours(muted=(Interval(minutes=spans, zone=zone_of(zone)),), unless=severity_rank(hours.unless))
