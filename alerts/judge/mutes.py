"""Which alerts may not be sent, and why: inhibited, under maintenance, silenced."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from alerts.delivery.group import severity_rank
from alerts.judge.policy import Inhibition
from alerts.judge.rows import AlertRow, MuteRow
from alerts.matchers import Matcher, matches, parse_matcher

__all__ = ["Inhibitors", "compiled", "hides", "mute_of"]


class Inhibitors:
    """Which alerts fire that inhibit others."""

    def __init__(self, rules: Iterable[Inhibition]) -> None:
        self._rules = [_Sources(rule) for rule in rules]

    def take(self, alert: AlertRow) -> bool:
        """Returns whether the alert, as it is now, hides others no longer."""
        return sum(rule.take(alert) for rule in self._rules) > 0  # each takes it, whatever the first one answers

    def inhibits(self, alert: AlertRow) -> bool:
        """Whether another alert fires that this one is not sent under."""
        return any(rule.hides(alert) for rule in self._rules)


class _Sources:
    """Of one rule, the alerts that inhibit: by the values of the labels in which the two must agree."""

    def __init__(self, rule: Inhibition) -> None:
        self._rule = rule
        self._values: dict[str, tuple[str, ...]] = {}
        self._firing: dict[tuple[str, ...], set[str]] = {}

    def take(self, alert: AlertRow) -> bool:
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

    def hides(self, alert: AlertRow) -> bool:
        """As in Alertmanager, what matches both sides is no target: two of them would hide each other."""
        if not self._firing or not matches(self._rule.target, alert.labels) or matches(self._rule.source, alert.labels):
            return False
        return self._values_of(alert) in self._firing

    def _values_of(self, alert: AlertRow) -> tuple[str, ...]:
        return tuple(alert.labels.get(name, "") for name in self._rule.equal)


def mute_of(alert: AlertRow, mutes: Iterable[MuteRow], now_ms: int) -> MuteRow | None:
    """Returns what hides the alert: a maintenance window before a silence, the one that ends last."""
    hiding = [mute for mute in mutes if mute.starts_ms <= now_ms < mute.ends_ms and hides(mute, alert)]
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
