"""An alert is in the groups of its present labels alone: who knew of it in another one is told once that it left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerts.clock import MINUTE_MS
from alerts.delivery.alertmanager import alertmanager_alerts
from alerts.delivery.brief import brief_of
from alerts.judge import Judge, Policy, Route
from alerts.judge.decisions import Acknowledge, Subscribe
from alerts.judge.policy import ALL_LABELS, Escalation, ResolvedMessages
from alerts.matchers import parse_matchers
from tests.alerts.judge.judge_harness import Court, alert, at

EACH = Route(
    key="each",
    receiver="mail",
    group_by=(ALL_LABELS,),
    group_interval_ms=5 * MINUTE_MS,
    repeat_interval_ms=30 * MINUTE_MS,
    escalations=(Escalation(60 * MINUTE_MS, "boss"),),
)


def policy(*routes: Route) -> Policy:
    return Policy(root=Route(key="", receiver="mail", routes=routes), receivers=frozenset({"mail", "pager", "boss"}))


@pytest.fixture(params=[False, True], ids=["one process", "restarts"])
def restart(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_an_alert_that_becomes_critical_is_reminded_of_and_escalated_once(restart: bool) -> None:
    court = Court(policy(EACH), restart=restart)
    court.events(alert("a", 1))
    court.tick(10)
    court.events(alert("a", 20, "escalated", revision=2, severity="critical"))
    court.tick(85)
    court.events(alert("a", 90, "resolved", revision=3, severity="critical"))
    court.tick(300)
    assert sorted((minute, receiver, change) for receiver, minute, change, _ in court.sent()) == [
        (1, "mail", "opened"),
        (20, "mail", "opened"),
        (20, "mail", "resolved"),
        (50, "mail", "repeated"),
        (80, "boss", "escalated"),
        (80, "boss", "repeated"),
        (80, "mail", "repeated"),
        (90, "boss", "resolved"),
        (90, "mail", "resolved"),
    ]
    assert [key for key in court.rows if key.startswith("j/g/")] == []


def test_the_message_about_a_move_shows_the_alert_as_it_was_and_says_that_it_goes_on() -> None:
    court = Court(policy(EACH))
    court.events(alert("a", 1))
    court.tick(10)
    court.events(alert("a", 20, "escalated", revision=2, severity="critical"))
    court.tick(20)
    [group] = [plan.group for effects in court.effects for plan in effects.plans if plan.group.change == "resolved"]
    [event] = group.alerts
    assert (group.reasons, group.firing, group.resolved) == (("moved",), 0, 1)
    assert (event.state, event.change, event.severity, event.updated_ms) == ("resolved", "moved", "warning", at(20))
    brief = brief_of(group)
    assert brief.is_over
    assert brief.subject == "WAS WARNING, NOW IN ANOTHER MESSAGE  1 alert: entity/a"
    assert "back to normal" not in brief.text
    [ended] = alertmanager_alerts(brief, at(21), 0)
    assert (ended["labels"]["severity"], ended["endsAt"]) == ("warning", "2023-11-14T22:34:00.000Z")


def test_a_route_for_warnings_reminds_of_no_critical_alert(restart: bool) -> None:
    warning = replace(EACH, key="w", receiver="mail", matchers=parse_matchers("severity=warning"), group_by=("kind",))
    critical = replace(warning, key="c", receiver="pager", matchers=parse_matchers("severity=critical"))
    court = Court(policy(warning, critical), restart=restart)
    court.events(alert("a", 1), alert("b", 1))
    court.tick(1)
    court.events(alert("a", 10, "escalated", revision=2, severity="critical"))
    court.tick(45)
    sent = sorted(court.sent(), key=lambda sent: sent[1])
    assert sent[1:] == [
        ("pager", 10, "opened", ("a",)),
        ("mail", 31, "repeated", ("b", "a")),
        ("pager", 40, "repeated", ("a",)),
    ]
    court.tick(65)
    assert [one for one in court.sent() if one[0] == "mail"][-1] == ("mail", 61, "repeated", ("b",))


def test_an_alert_that_was_not_sent_yet_leaves_without_a_word(restart: bool) -> None:
    waits = replace(EACH, group_wait_ms=5 * MINUTE_MS, group_by=("severity",))
    court = Court(policy(waits), restart=restart)
    court.events(alert("a", 1), alert("a", 3, "escalated", revision=2, severity="critical"))
    court.tick(29)
    assert court.sent() == [("mail", 8, "opened", ("a",))]


def test_where_ends_are_no_messages_an_alert_leaves_without_one(restart: bool) -> None:
    court = Court(policy(replace(EACH, resolved=ResolvedMessages.NEVER)), restart=restart)
    court.events(alert("a", 1), alert("a", 3, "escalated", revision=2, severity="critical"))
    court.tick(29)
    assert [change for _, _, change, _ in court.sent()] == ["opened", "opened"]
    assert len([key for key in court.rows if key.startswith("j/g/")]) == 1


def test_labels_of_a_changed_rule_move_the_alert_that_fires_on(restart: bool) -> None:
    court = Court(policy(replace(EACH, group_by=("team",))), restart=restart)
    court.events(alert("a", 1, own={"team": "red"}))
    court.tick(1)
    court.events(alert("a", 10, "ongoing", revision=2, own={"team": "blue"}))
    court.tick(29)
    assert sorted(court.sent()[1:]) == [("mail", 10, "opened", ("a",)), ("mail", 10, "resolved", ("a",))]
    court.events(alert("a", 30, "ongoing", revision=3, own={"team": "red"}))  # and it may come back
    court.tick(35)
    assert sorted(court.sent()[3:]) == [("mail", 30, "opened", ("a",)), ("mail", 30, "resolved", ("a",))]


def test_another_policy_moves_alerts_of_a_route_that_stays(restart: bool) -> None:
    court = Court(policy(EACH), restart=restart)
    court.events(alert("a", 1))
    court.tick(1)
    court.policy = policy(replace(EACH, group_by=("kind",)))
    court.judge = Judge(court.policy, court.rows)
    court.tick(29)
    assert sorted(court.sent()[1:]) == [("mail", 1, "opened", ("a",)), ("mail", 6, "resolved", ("a",))]


def test_the_group_that_an_alert_left_is_not_acknowledged_with_it() -> None:
    court = Court(policy(EACH))
    court.events(alert("a", 1))
    court.tick(1)
    [old] = [key.removeprefix("j/g/") for key in court.rows if key.startswith("j/g/")]
    court.events(alert("a", 2, "escalated", revision=2, severity="critical"))
    court.tick(2)
    assert court.decide(Acknowledge(id="k", by="ann", at_ms=at(2), target=old, until_ms=at(60))) == "over"


def test_a_subscriber_who_groups_by_severity_is_told_once() -> None:
    court = Court(Policy(root=Route(key="", receiver=""), receivers=frozenset({"mail"})))
    court.tick(0)
    wish = Subscribe(id="s", by="ann", at_ms=at(0), name="ann", channel="mail", group_by=("severity",))
    assert court.decide(wish) == "accepted"
    court.events(alert("a", 1))
    court.tick(10)
    court.events(alert("a", 20, "escalated", revision=2, severity="critical"))
    court.tick(60)
    assert sorted(court.sent(), key=lambda sent: (sent[1], sent[2])) == [
        ("mail/ann", 3, "opened", ("a",)),
        ("mail/ann", 22, "opened", ("a",)),
        ("mail/ann", 22, "resolved", ("a",)),
    ]
