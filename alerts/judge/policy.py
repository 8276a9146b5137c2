"""Where alerts go: a tree of routes as Alertmanager's, checked and in milliseconds. Pure.

labels ─► Policy.routes_of ─► the routes whose groups the alert joins: the deepest that match, in the tree's order
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from alerts.clock import MINUTE_MS
from alerts.delivery.group import severity_rank
from alerts.judge.hours import ALWAYS, Digest, Hours
from alerts.matchers import Matcher, matches

__all__ = ["ALL_LABELS", "Escalation", "Inhibition", "Person", "Policy", "ResolvedMessages", "Route"]

ALL_LABELS: Final = "..."
"""In `group_by`: every alert with labels of its own is a group."""


class ResolvedMessages(StrEnum):
    """Which ends a group's receiver gets."""

    ALL = "all"
    """One message, when the last alert has ended."""
    EACH = "each"
    """One whenever alerts have ended."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Escalation:
    """Alerts that nobody acknowledges for `after_ms` go to `receiver` too."""

    after_ms: int
    receiver: str


@dataclass(frozen=True, slots=True)
class Person:
    """A subscriber: the name, and the `channel` of the settings that delivers to `address` in `language`."""

    name: str
    channel: str
    address: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A node of the tree, with what it inherits filled in. `key` names it, also in groups' ids.

    The first message of a group comes `group_wait_ms` after its first alert, the next ones at least
    `group_interval_ms` apart; a reminder after `repeat_interval_ms` without a message (0: none). With `goes_on` the
    siblings that follow are tried too. Nothing is sent while `hours` are closed; with `digest` messages wait for its
    time. `person` is set for a subscriber's route, which is not in the tree.
    """

    key: str
    receiver: str
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    group_wait_ms: int = 0
    group_interval_ms: int = 5 * MINUTE_MS
    repeat_interval_ms: int = 0
    resolved: ResolvedMessages = ResolvedMessages.ALL
    escalations: tuple[Escalation, ...] = ()
    hours: Hours = ALWAYS
    digest: Digest | None = None
    minimum_rank: int = 0
    person: Person | None = None
    goes_on: bool = False
    routes: tuple[Route, ...] = ()

    def matching(self, labels: Mapping[str, str]) -> list[Route]:
        """The deepest routes below this one that match; empty where this one does not."""
        if not self.takes(labels):
            return []
        found: list[Route] = []
        for route in self.routes:
            below = route.matching(labels)
            found += below
            if below and not route.goes_on:
                break
        return found or [self]

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether the route itself is for such an alert."""
        return severity_rank(labels.get("severity", "")) >= self.minimum_rank and matches(self.matchers, labels)

    def group_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Those of an alert's labels that its group is known by; information has groups of its own."""
        if ALL_LABELS in self.group_by:
            return dict(labels)
        found = {name: labels[name] for name in self.group_by if name in labels}
        # Beside alerts that fire, every item that a rule `each` notes would send all of a crisis again.
        return found | {"severity": "info"} if labels.get("severity") == "info" else found

    def walk(self) -> Iterable[Route]:
        """Yields this route and all below it."""
        yield self
        for route in self.routes:
            yield from route.walk()


@dataclass(frozen=True, slots=True)
class Inhibition:
    """Alerts that match `target` are not sent while another one fires that matches `source`.

    The two must agree in the labels `equal`.
    """

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator wrote down. `receivers` are the names that a message can be planned for.

    `addressed` are those that deliver to an address of a subscriber's own; the others know the operator's alone.
    """

    root: Route
    receivers: frozenset[str]
    addressed: frozenset[str] = frozenset()
    inhibitions: tuple[Inhibition, ...] = ()

    @classmethod
    def default(cls, receivers: Iterable[str]) -> Policy:
        """Returns the policy without a file: every receiver gets every alert, at once, one message for a tick's."""
        names = tuple(receivers)
        children = tuple(_default_route(name) for name in names)
        root = Route(key="", receiver=names[0] if names else "", routes=children)
        return cls(root=root, receivers=frozenset(names))

    @property
    def fingerprint(self) -> str:
        """Another one where a route or an inhibition is another."""
        return hashlib.sha256(repr((self.root, self.inhibitions, sorted(self.receivers))).encode()).hexdigest()[:32]

    def routes_of(self, labels: Mapping[str, str]) -> list[Route]:
        """Returns the routes that the alert takes; none without a receiver."""
        return [route for route in self.root.matching(labels) if route.receiver]


def _default_route(receiver: str) -> Route:
    return Route(
        key=f"default/{receiver}",
        receiver=receiver,
        group_by=("signal",),
        group_interval_ms=15 * MINUTE_MS,
        goes_on=True,
    )
