"""Which rules watch a series for a signal: a checked rule, the series that it is about, and a quick look-up.

    the profile's kinds and rules ─┐
    rules of the user ─────────────┴─► RuleSet ── of(signal, series) ──► the rules that look at it, in order

A series is named `KIND/NAME`, or as its kind (`all`). A pattern is such a name, `KIND/*`, or `KIND/BEGIN*`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from alerts.schedule import Schedule
from alerts.sections import RuleConfig

__all__ = ["BOTH", "AlertRule", "RuleSet", "kind_of", "matches"]

BOTH: Final = "both"
"""The kind of a series of items that are in several others at once: `both/watchlist/banks & topic/Mergers`."""

_KEPT: Final = 100_000


class AlertRule(msgspec.Struct, frozen=True):
    """A checked rule; without `signals` it is for all. `windows` are places in those of the configuration, in order.

    `kind_share` times `rule_share` is its part of the false alarms a week that one signal may cost, in one kind of
    series. While an alert of the rule `covered_by` is open on a series, and shortly after, this one opens none there.
    """

    name: str
    detector: str
    signals: tuple[str, ...]
    series: tuple[str, ...]
    settings: RuleConfig
    windows: tuple[int, ...]
    kind_share: float = 1.0
    rule_share: float = 1.0
    covered_by: str | None = None
    schedule: Schedule | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    at_most_per_hour: int = 4
    often_per_day: int = 20

    def watches(self, signal: str, series: str) -> bool:
        """Whether the rule looks at this series for this signal."""
        return (not self.signals or signal in self.signals) and any(matches(pattern, series) for pattern in self.series)

    def is_on(self, now_ms: int) -> bool:
        """Whether the rule may open an alert at this time."""
        return self.schedule is None or self.schedule.covers(now_ms)


def kind_of(series: str) -> str:
    """Returns `entity` for `entity/AAPL`; a series without a slash (`all`) is its own kind."""
    return series.partition("/")[0]


def matches(pattern: str, series: str) -> bool:
    """Whether a pattern is of this series; `entity/*` is of all entities, `source/a*` of those that begin with a."""
    return series.startswith(pattern[:-1]) if pattern.endswith("*") else series == pattern


class RuleSet:
    """The rules in their order; equal where the rules are.

    `retired` are rules that were removed: the end of an alert of theirs has their labels.
    """

    __slots__ = ("_found", "_watched", "retired", "rules")

    def __init__(self, rules: Iterable[AlertRule], retired: Iterable[AlertRule] = ()) -> None:
        self.rules = tuple(rules)
        self.retired = {rule.name: rule for rule in retired}
        self._found: dict[tuple[str, str], tuple[AlertRule, ...]] = {}
        self._watched: dict[str, bool] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleSet) and self.rules == other.rules

    def __hash__(self) -> int:
        return hash(tuple(rule.name for rule in self.rules))

    def of(self, signal: str, series: str) -> tuple[AlertRule, ...]:
        """Returns the rules that look at a series for a signal."""
        key = signal, series
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= _KEPT:
                self._found.clear()
            found = tuple(rule for rule in self.rules if rule.watches(signal, series))
            self._found[key] = found
        return found

    def named(self, name: str) -> AlertRule | None:
        """Returns a rule by its name, also one that was removed."""
        return next((rule for rule in self.rules if rule.name == name), self.retired.get(name))

    def watches(self, series: str) -> bool:
        """Whether any rule looks at this series."""
        watched = self._watched.get(series)
        if watched is None:
            if len(self._watched) >= _KEPT:
                self._watched.clear()
            watched = any(matches(pattern, series) for rule in self.rules for pattern in rule.series)
            self._watched[series] = watched
        return watched
