"""Inhibit rules that could hold each other's alerts back are found; those that tell their alerts apart are not."""

from __future__ import annotations

import pytest

from alerts.judge.policy import Inhibition
from alerts.matchers import parse_matchers
from streams.receivers.circles import facing


def rule(source: str, target: str, *equal: str) -> Inhibition:
    return Inhibition(parse_matchers(source), parse_matchers(target), equal)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (rule("kind=watchlist", 'kind=~"topic|all"'), rule('kind=~"topic|all"', "kind=watchlist")),
        (rule("severity=critical", "severity=warning"), rule("kind=all", "kind=entity")),
        (rule("kind=all", "kind!=all"), rule('series=~"entity/.*"', "kind=~.*")),
        (rule("team=a", "team=b", "signal"), rule("team=b", "team=a", "kind")),
    ],
)
def test_rules_that_face_each_other_are_found(one: Inhibition, other: Inhibition) -> None:
    assert list(facing([one, other])) == [(0, 1)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (rule("kind=all", "kind=entity"), rule("kind=entity", "kind=source")),
        (rule("kind=all", "kind=entity"), rule("kind=all", "kind=source")),
        (rule("team=a", "team=b", "team"), rule("team=b", "team=a")),
        (rule("severity=critical", "severity=warning", "series"), rule("kind=all", "kind=entity", "signal")),
        (rule("severity=critical", "severity=warning"), rule("severity=critical,kind=entity", "severity=warning")),
        (rule("kind=entity,severity=critical", "kind=all"), rule("kind=all", "kind=entity,severity=warning")),
    ],
)
def test_rules_that_tell_their_alerts_apart_are_not(one: Inhibition, other: Inhibition) -> None:
    assert list(facing([one, other])) == []
