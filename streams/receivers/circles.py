"""Inhibit rules that face each other: an alert of each could hold one of the other back.

A pattern is tried with the values that it names, so one of a rare form may be missed; the judge sends one of the two
anyway (`alerts.judge.mutes`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, product
from typing import Final

from alerts.judge.policy import Inhibition
from alerts.matchers import Matcher

__all__ = ["facing"]

_Test = tuple[Matcher, bool]
"""A matcher, and whether it is to match."""
_VALUES: Final = {"severity": ("info", "warning", "critical")}
_OTHERS: Final = ("", "x")
"""Of a label with any value: that it is missing, and some value that no matcher names."""


def facing(rules: Sequence[Inhibition]) -> Iterator[tuple[int, int]]:
    """Yields the places of two rules, the earlier one first, that could hold each other's alerts back."""
    for (place, rule), (later, other) in combinations(enumerate(rules), 2):
        if _face(rule, other):
            yield place, later


def _face(rule: Inhibition, other: Inhibition) -> bool:
    """Whether there can be two alerts, each the source of one rule and the target of the other, and not its source."""
    upper, lower = (*rule.source, *other.target), (*other.source, *rule.target)
    equal = {*rule.equal, *other.equal}
    equal |= {"kind", "name"} if "series" in equal else set()
    return any(
        _possible([*_wanted(upper), (no_source, False)], [*_wanted(lower), (no_other, False)], equal)
        for no_source, no_other in product(other.source, rule.source)
    )


def _wanted(matchers: Iterable[Matcher]) -> list[_Test]:
    return [(matcher, True) for matcher in matchers]


def _possible(upper: list[_Test], lower: list[_Test], equal: set[str]) -> bool:
    """Whether two alerts can pass their tests and agree in the labels `equal`."""
    for name in {matcher.name for matcher, _ in (*upper, *lower)}:
        one, two = ([test for test in tests if test[0].name == name] for tests in (upper, lower))
        pairs = [[*one, *two]] if name in equal else [one, two]
        if not all(_some_value(name, tests) for tests in pairs):
            return False
    return True


def _some_value(name: str, tests: list[_Test]) -> bool:
    named = [value for matcher, _ in tests for value in _named(matcher)]
    values = [*_VALUES.get(name, _OTHERS), *named]
    return any(all(matcher.matches({name: value}) is wanted for matcher, wanted in tests) for value in values)


def _named(matcher: Matcher) -> list[str]:
    """The values that a matcher names, also those of a pattern such as `topic|all` or `entity/.*`."""
    if not matcher.operator.endswith("~"):
        return [matcher.value]
    return [re.sub(r"\.[*+]", "x", part) for part in re.split(r"[|()]", matcher.value) if part]
