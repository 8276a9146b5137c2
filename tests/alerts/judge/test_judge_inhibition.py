"""What holds alerts back: of two that would hold each other back one is sent, and the other says which one."""

from __future__ import annotations

import itertools

import pytest

from alerts.judge import Policy, Route
from alerts.judge.policy import ALL_LABELS, Inhibition
from alerts.matchers import parse_matchers
from tests.alerts.judge.judge_harness import Court, alert

SERIES = {"w": "watchlist/w", "t": "topic/t", "e": "entity/e"}


def rule(source: str, target: str) -> Inhibition:
    return Inhibition(parse_matchers(f"kind={source}"), parse_matchers(f"kind={target}"))


def court(*rules: Inhibition, restart: bool = False) -> Court:
    route = Route(key="r", receiver="mail", group_by=(ALL_LABELS,))
    root = Route(key="", receiver="mail", routes=(route,))
    return Court(Policy(root=root, receivers=frozenset({"mail"}), inhibitions=rules), restart=restart)


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("order", list(itertools.permutations("wt")))
def test_of_two_rules_that_face_each_other_the_first_one_counts(restart: bool, order: tuple[str, ...]) -> None:
    found = court(rule("watchlist", "topic"), rule("topic", "watchlist"), restart=restart)
    found.events(*(alert(name, 1, series=SERIES[name]) for name in order))
    found.tick(5)
    assert found.sent() == [("mail", 1, "opened", ("w",))]
    assert found.judge._state.alerts["t"].hidden_by == "inhibited/w"


@pytest.mark.parametrize("order", list(itertools.permutations("wte")))
def test_a_circle_of_three_rules_hides_not_all(order: tuple[str, ...]) -> None:
    found = court(rule("watchlist", "topic"), rule("topic", "entity"), rule("entity", "watchlist"))
    for minute, name in enumerate(order, 1):
        found.events(alert(name, minute, series=SERIES[name]))
        found.tick(minute)
    found.tick(30)
    shown = {name for name, row in found.judge._state.alerts.items() if not row.hidden_by}
    assert "w" in shown
    assert found.judge._state.alerts["t"].hidden_by in ("", "inhibited/w")


def test_what_is_held_back_holds_back_as_in_alertmanager() -> None:
    found = court(rule("watchlist", "topic"), rule("topic", "entity"))
    found.events(*(alert(name, 1, series=series) for name, series in SERIES.items()))
    found.tick(5)
    assert found.sent() == [("mail", 1, "opened", ("w",))]
