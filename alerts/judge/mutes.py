"""Which alerts may not be sent, and why: inhibited, under maintenance, silenced."""

from __future__ import annotations

from collections.abc import Iterable, Set
from functools import lru_cache

from alerts.delivery.group import severity_rank
from alerts.judge.policy import Inhibition
from alerts.judge.rows import AlertRow, MuteRow
from alerts.matchers import Matcher, matches, parse_matcher

__all__ = ["Inhibitors", "compiled", "hides", "mute_of"]


class Inhibitors:
    """Which alerts fire that inhibit others.

    As in Alertmanager, an alert that is held back still holds others back. Two that would hold each other back do not
    hide both: what closes a circle with the rules before it, or with itself, does not count.
    """

    def __init__(self, rules: Iterable[Inhibition]) -> None:
        self._rules = [_Sources(rule) for rule in rules]
        self._alerts: dict[str, AlertRow] = {}

    def take(self, alert: AlertRow) -> bool:
        """Returns whether what the alert is now may show others that were hidden."""
        name = alert.event.id
        was = name in self._alerts
        released = sum(rule.take(alert) for rule in self._rules) > 0  # each takes it, whatever the first one answers
        if any(rule.has(name) for rule in self._rules):
            self._alerts[name] = alert
            return released or (not was and any(rule.over(alert) for rule in self._rules))
        self._alerts.pop(name, None)
        return released

    def inhibitor(self, alert: AlertRow) -> str:
        """Returns the id of an alert that fires and that this one is not sent under; empty without one."""
        for place, rule in enumerate(self._rules):
            over = rule.over(alert)
            if over and any(before.has(alert.event.id) for before in self._rules[:place]):
                over = {one for one in over if not self._is_over(alert.event.id, self._alerts[one], place)}
            if over:
                return min(over)
        return ""

    def _is_over(self, name: str, alert: AlertRow, last: int) -> bool:
        """Whether the alert `name` holds this one back, itself or through others, by the rules up to `last`."""
        seen, found = {alert.event.id}, [alert]
        while found:
            one = found.pop()
            above = set[str]().union(*(rule.over(one) for rule in self._rules[: last + 1]))
            if name in above:
                return True
            found += [self._alerts[other] for other in above - seen]
            seen |= above
        return False


class _Sources:
    """Of one rule, the alerts that inhibit: by the values of the labels in which the two must agree."""

    def __init__(self, rule: Inhibition) -> None:
        self._rule = rule
        self._values: dict[str, tuple[str, ...]] = {}
        self._firing: dict[tuple[str, ...], set[str]] = {}

    def take(self, alert: AlertRow) -> bool:
        """Returns whether the alert, as it is now, hides others no longer."""
        name = alert.event.id
        before = self._values.pop(name, None)
        if before is not None:
            self._firing[before].discard(name)
            if not self._firing[before]:
                del self._firing[before]
        if not alert.fires or not matches(self._rule.source, alert.labels):
            return before is not None
        values = self._values[name] = self._values_of(alert)
        self._firing.setdefault(values, set()).add(name)
        return before not in (None, values)

    def has(self, name: str) -> bool:
        """Whether the alert is one of those that inhibit."""
        return name in self._values

    def over(self, alert: AlertRow) -> Set[str]:
        """As in Alertmanager, what matches both sides is no target: two of them would hide each other."""
        if not self._firing or not matches(self._rule.target, alert.labels) or matches(self._rule.source, alert.labels):
            return frozenset()
        return self._firing.get(self._values_of(alert), frozenset())

    def _values_of(self, alert: AlertRow) -> tuple[str, ...]:
        return tuple(alert.labels.get(name, "") for name in self._rule.equal)


def mute_of(alert: AlertRow, mutes: Iterable[MuteRow], now_ms: int) -> MuteRow | None:
    """Returns what hides the alert: a maintenance window before a silence, the one that ends last."""
    hiding = [mute for mute in mutes if mute.holds(now_ms) and hides(mute, alert)]
    return max(hiding, key=lambda mute: (mute.planned, mute.ends_ms, mute.id), default=None)


def hides(mute: MuteRow, alert: AlertRow) -> bool:
    """Whether the mute is about the alert, whatever the time."""
    if mute.until_worse and severity_rank(alert.event.severity) > mute.ceiling:
        return False
    return matches(compiled(mute.matchers), alert.labels)


@lru_cache(maxsize=4_000)
def compiled(matchers: tuple[str, ...]) -> tuple[Matcher, ...]:
    """Raises `MatcherError` for one that is wrong."""
    return tuple(parse_matcher(text) for text in matchers)
