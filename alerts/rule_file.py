"""`rules.yaml`: the rules of a user, as they are written, with what makes no sense in them.

    false_alarms_per_week: 2            # over all rules together, as in the profile's alerts.yaml
    profile_rules: true                 # false: the profile's own rules are off
    rules:
      - name: banks
        series: [watchlist/banks, "watchlist/banks & topic/Mergers", "entity/*"]
        minimum_hits: 5
        labels: {team: credit}
      - name: my bank, every story
        series: [watchlist/my bank]
        detector: each                  # every new item that hits the signal, as information
        at_most_per_hour: 4

Only what a rule of its own needs is here; warm-up, baselines, hops and copies are the profile's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from alerts.ruleset import BOTH
from alerts.schedule import Schedule
from alerts.sections import EACH, HORIZON_HOURS, MOST_PANES, PANES_SECONDS, RULES

__all__ = ["RESERVED", "RulesDocument", "WrittenRule", "parts_of", "series_pattern"]

Mistake = tuple[tuple[str | int, ...], str]

RESERVED: Final = ("alertname", "signal", "series", "kind", "severity", "name")
"""Labels that every alert has."""
AND: Final = " & "
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,62}")
_MOST_WINDOWS: Final = 8
_MOST_TEXT: Final = 1_000

Positive = Annotated[int, Meta(ge=1)]


class WrittenRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule as it is written; what is left out is the detector's in the profile."""

    name: Annotated[str, Meta(min_length=1)]
    series: Annotated[tuple[str, ...], Meta(min_length=1)]
    detector: Literal["volume", "share", "each"] = "volume"
    signals: tuple[str, ...] = ()
    windows_seconds: tuple[int, ...] = ()
    minimum_hits: Positive | None = None
    minimum_stories: Annotated[int, Meta(ge=1, le=10)] | None = None
    minimum_total: Positive | None = None
    minimum_ratio: Annotated[float, Meta(ge=1)] | None = None
    critical_hits: Positive | None = None
    critical_ratio: Annotated[float, Meta(ge=1)] | None = None
    severity: Literal["warning", "critical"] | None = None
    budget_share: Annotated[float, Meta(gt=0, le=1)] | None = None
    at_most_per_hour: Annotated[int, Meta(ge=1, le=120)] | None = None
    often_per_day: Positive = 20
    schedule: Schedule | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """Returns what the rule says of its test, by the names of `RuleConfig`."""
        return {name: getattr(self, name) for name in _OF_TESTS if getattr(self, name) is not None}

    def mistakes(self) -> Iterator[Mistake]:
        """Yields what the types cannot say."""
        if self.name != " ".join(self.name.split()) or not self.name.isprintable() or len(self.name) > 100:
            yield ("name",), "take one line of at most 100 characters, without blanks at its ends"
        for at, pattern in enumerate(self.series):
            if problem := _wrong_pattern(pattern):
                yield ("series", at), problem
        yield from self._test_mistakes()
        yield from self._window_mistakes()
        yield from self._text_mistakes()

    def _test_mistakes(self) -> Iterator[Mistake]:
        """A rule `each` tests nothing, and the others hold nothing back."""
        if self.detector == EACH:
            for name in (*_OF_TESTS, "budget_share", "windows_seconds"):
                if getattr(self, name):
                    yield (name,), f"a rule `{EACH}` notes every item and makes no test; remove it"
            return
        for name in ("critical_hits", "critical_ratio") if self.severity is not None else ():
            if getattr(self, name) is not None:
                yield (name,), f"has no effect beside `severity: {self.severity}`; remove one of the two"
        if self.at_most_per_hour is not None:
            yield ("at_most_per_hour",), f"is for `detector: {EACH}`; remove it, or give the rule that detector"

    def _window_mistakes(self) -> Iterator[Mistake]:
        if len(set(self.windows_seconds)) < len(self.windows_seconds):
            yield ("windows_seconds",), "lists a length twice; list each once"
        for at, length in enumerate(self.windows_seconds):
            round_panes = any(length / pane <= MOST_PANES and length % pane == 0 for pane in PANES_SECONDS)
            if not (60 <= length <= 3600 * HORIZON_HOURS and round_panes):
                yield (
                    ("windows_seconds", at),
                    f"{length} is below a minute, above a day, or no round length; write one such as 900 or 86400",
                )

    def _text_mistakes(self) -> Iterator[Mistake]:
        for label, value in self.labels.items():
            if label in RESERVED:
                yield ("labels", label), "every alert has this label already; choose another name"
            elif not _LABEL.fullmatch(label):
                yield ("labels", label), "is no name of a label; take letters (a to z), digits and '_', at most 63"
            if not value.isprintable() or len(value) > _MOST_TEXT:
                yield ("labels", label), f"take one line of at most {_MOST_TEXT} characters"
        for name, value in self.annotations.items():
            if not name.isprintable() or len(value) > _MOST_TEXT * 10:
                yield ("annotations", name), f"take a name of one line, and at most {_MOST_TEXT * 10} characters"


_OF_TESTS: Final = (
    "minimum_hits",
    "minimum_stories",
    "minimum_total",
    "minimum_ratio",
    "critical_hits",
    "critical_ratio",
    "severity",
)


class RulesDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it is written. Without `false_alarms_per_week` the profile's number is shared."""

    rules: tuple[WrittenRule, ...] = ()
    false_alarms_per_week: Annotated[float, Meta(gt=0)] | None = None
    profile_rules: bool = True

    def mistakes(self) -> Iterator[Mistake]:
        """Yields what does not fit together."""
        if not self.rules and not self.profile_rules:
            yield ("profile_rules",), "without rules nothing is watched; write some, or let the profile's be on"
        yield from self._name_mistakes()
        given = sum(rule.budget_share or 0 for rule in self.rules)
        unset = self.profile_rules or any(rule.detector != EACH and rule.budget_share is None for rule in self.rules)
        if given > 1 + 1e-9 or (unset and given > 1 - 1e-9):
            text = f"budget shares add up to {given:g}"
            whole = "below 1, for the profile's rules and those without one share the rest" if unset else "to 1 or less"
            yield ("rules",), f"{text}; let them add up {whole}"
        lengths = {length for rule in self.rules for length in rule.windows_seconds}
        if len(lengths) > _MOST_WINDOWS:
            yield ("rules",), f"use {len(lengths)} lengths of windows; every series keeps each, so take {_MOST_WINDOWS}"

    def _name_mistakes(self) -> Iterator[Mistake]:
        used = Counter(rule.name for rule in self.rules)
        for at, rule in enumerate(self.rules):
            if used[rule.name] > 1:
                yield ("rules", at, "name"), f"{used[rule.name]} rules are called {rule.name!r}; call each differently"
            if rule.name in RULES:
                yield ("rules", at, "name"), f"the profile's rule is called {rule.name!r}; choose another name"

    def share_of(self, rule: WrittenRule) -> float:
        """Returns the rule's part of the budget; 0 for a rule `each`, which makes no test."""
        if rule.detector == EACH:
            return 0.0
        return self._equal_part if rule.budget_share is None else rule.budget_share

    @property
    def profile_share(self) -> float:
        """The part of the budget that the profile's rules have together."""
        return self._equal_part if self.profile_rules else 0.0

    @property
    def _equal_part(self) -> float:
        """What the rules without a share have each, the profile's together being one of them."""
        tests = [rule for rule in self.rules if rule.detector != EACH]
        given = sum(rule.budget_share for rule in tests if rule.budget_share is not None)
        unset = sum(rule.budget_share is None for rule in tests) + self.profile_rules
        return (1.0 - given) / unset if unset else 0.0

    @property
    def both(self) -> tuple[str, ...]:
        """The series of items that are in several others at once, as they are named in records."""
        named = [series_pattern(pattern) for rule in self.rules for pattern in rule.series if AND in pattern]
        return tuple(dict.fromkeys(named))


def series_pattern(written: str) -> str:
    """Returns the pattern of `alerts.ruleset.matches`: `A & B` is the series of the items that are in both."""
    return f"{BOTH}/{AND.join(parts_of(written))}" if AND in written else written


def parts_of(written: str) -> list[str]:
    """Returns the series that a pattern combines."""
    return [part.strip() for part in written.removeprefix(f"{BOTH}/").split(AND)]


def _wrong_pattern(written: str) -> str:
    """What is wrong with a pattern; empty if nothing is."""
    parts = parts_of(written)
    if any(not part or not part.isprintable() for part in parts):
        return 'name a series such as entity/ACME, "entity/*", all, or "watchlist/banks & topic/Mergers"'
    if any("*" in part[:-1] for part in parts) or written.strip("*") == "":
        return f"{written!r}: one '*' may stand at the end, behind KIND/, such as \"source/a*\""
    if any(part.endswith("*") and "/" not in part for part in parts):
        return f"{written!r}: a '*' stands behind KIND/; write such as \"entity/*\""
    if len(parts) > 1 and (any("*" in part for part in parts) or len(set(parts)) < len(parts)):
        return f"{written!r}: what '&' joins are names of different series, without '*'"
    return ""
