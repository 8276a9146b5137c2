"""People decide: acknowledging, silences, maintenance, notes. The second of two who decide at once is refused."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from alerts.clock import MINUTE_MS
from alerts.judge import Judge, Policy, Route
from alerts.judge.decisions import (
    Acknowledge,
    Assign,
    Decision,
    ExpireSilence,
    Maintenance,
    Note,
    Silence,
    Unacknowledge,
    Unreadable,
    Unwatch,
    Verdict,
    Watch,
    decision_from_json,
)
from alerts.judge.policy import Escalation, Inhibition
from alerts.judge.rows import AlertRow
from alerts.matchers import parse_matchers
from tests.alerts.judge.judge_harness import Court, alert, at

numbers = itertools.count()
BY: dict[str, Any] = {"by": "ann", "at_ms": at(0)}

POLICY = Policy(
    root=Route(
        key="",
        receiver="mail",
        group_interval_ms=5 * MINUTE_MS,
        repeat_interval_ms=20 * MINUTE_MS,
        escalations=(Escalation(10 * MINUTE_MS, "boss"),),
    ),
    receivers=frozenset({"mail", "boss"}),
    inhibitions=(Inhibition(parse_matchers("kind=everything"), parse_matchers("kind=entity"), ("signal",)),),
)


def new_id() -> str:
    return f"d{next(numbers)}"


@pytest.fixture(params=[False, True], ids=["one process", "restarts"])
def court(request: pytest.FixtureRequest) -> Court:
    return Court(POLICY, restart=request.param)


def minutes(court: Court) -> list[tuple[str, float, str]]:
    return [(receiver, minute, change) for receiver, minute, change, _ in court.sent()]


def shown(court: Court, name: str) -> AlertRow:
    views = [view for effects in court.effects for view in effects.views if view.id == name]
    body = views[-1].body
    assert isinstance(body, AlertRow)
    return body


def test_an_acknowledged_alert_neither_repeats_nor_escalates_until_the_end(court: Court) -> None:
    court.events(alert("a", 1))
    court.tick(5)
    assert court.decide(Acknowledge(id=new_id(), target="a", until_ms=at(60), **BY)) == "accepted"
    assert shown(court, "a").acknowledged_by == "ann"
    court.tick(59)
    assert minutes(court) == [("mail", 1, "opened")]
    court.tick(75)
    assert minutes(court)[1:] == [("mail", 60, "repeated"), ("boss", 70, "escalated")]
    assert court.effects[-1].plans[0].group.reasons == ("acknowledgement_ended",)
    assert shown(court, "a").acknowledged_by == ""


def test_what_becomes_worse_is_acknowledged_no_longer(court: Court) -> None:
    court.events(alert("a", 1))
    court.tick(2)
    court.decide(Acknowledge(id=new_id(), target="a", until_ms=at(600), **BY))
    court.events(alert("a", 3, "escalated", revision=2, severity="critical"))
    court.tick(14)
    assert minutes(court) == [("mail", 1, "opened"), ("mail", 3, "updated"), ("boss", 13, "escalated")]


def test_the_second_of_two_who_decide_at_once_is_refused(court: Court) -> None:
    court.events(alert("a", 1))
    court.tick(2)
    seen = shown(court, "a").seen_version
    first, second = new_id(), new_id()
    assert court.decide(Acknowledge(id=first, target="a", until_ms=at(60), seen=seen, **BY)) == "accepted"
    assert court.decide(Assign(id=second, target="a", to="bob", seen=seen, by="bob", at_ms=at(0))) == "moved"
    assert court.effects[-1].answers[0].version == seen + 1
    assert court.decide(Acknowledge(id=first, target="a", until_ms=at(60), seen=seen, **BY)) == "repeated"


def test_a_refused_decision_that_comes_again_is_refused_alike_whatever_has_changed_since(court: Court) -> None:
    court.events(alert("a", 1))
    court.tick(2)
    seen = shown(court, "a").seen_version
    early = Unacknowledge(id=new_id(), target="a", **BY)
    assert court.decide(early) == "over"
    refused = court.effects[-1].answers
    taken = Acknowledge(id=new_id(), target="a", until_ms=at(60), by="bob", at_ms=at(0))
    assert court.decide(taken) == "accepted"
    assert court.decide(early) == "over"
    assert court.effects[-1].answers == refused
    assert shown(court, "a").acknowledged_by == "bob"
    old = Note(id=new_id(), target="a", text="x", seen=seen, **BY)
    assert court.decide(old) == "moved"
    assert court.decide(msgspec.structs.replace(old, seen=seen + 1)) == "moved"
    assert court.decide(msgspec.structs.replace(old, id=new_id(), seen=seen + 1)) == "accepted"


def test_a_verdict_stays_with_the_alert_and_is_taken_of_one_that_ended_long_ago(court: Court) -> None:
    court.events(alert("a", 1))
    court.tick(2)
    seen = shown(court, "a").seen_version
    assert court.decide(Verdict(id=new_id(), target="a", label="noise", seen=seen, **BY)) == "accepted"
    assert court.effects[-1].answers[0].detail == "noise"
    assert court.decide(Verdict(id=new_id(), target="a", label="useful", seen=seen, by="bob", at_ms=at(0))) == "moved"
    assert court.decide(Verdict(id=new_id(), target="a", label="useful", by="bob", at_ms=at(0))) == "accepted"
    assert shown(court, "a").verdicts == {"ann": "noise", "bob": "useful"}
    assert court.decide(Verdict(id=new_id(), target="ended long ago", label="old_news", **BY)) == "accepted"
    assert (court.effects[-1].answers[0].version, court.effects[-1].views) == (0, [])


def test_a_group_is_acknowledged_as_a_whole(court: Court) -> None:
    court.events(alert("a", 1), alert("b", 1))
    [effects] = court.tick(1)
    group = effects.plans[0].group
    assert court.decide(Acknowledge(id=new_id(), target=group.id, until_ms=at(60), seen=1, **BY)) == "accepted"
    assert {shown(court, name).acknowledged_by for name in "ab"} == {"ann"}
    assert court.decide(Unacknowledge(id=new_id(), target="a", **BY)) == "accepted"
    assert court.effects[-1].plans[0].group.acknowledged == ("ann",)
    assert court.decide(Acknowledge(id=new_id(), target=group.id, until_ms=at(60), seen=1, **BY)) == "moved"


@pytest.mark.parametrize(
    ("decision", "outcome"),
    [
        (Acknowledge(id="x", target="gone", until_ms=at(60), **BY), "unknown"),
        (Acknowledge(id="x", target="a", until_ms=at(1), **BY), "over"),
        (Acknowledge(id="x", target="ended", until_ms=at(60), **BY), "over"),
        (Unacknowledge(id="x", target="a", **BY), "over"),
        (Silence(id="x", matchers=("kind=entity",), starts_ms=at(9), ends_ms=at(8), **BY), "over"),
        (Silence(id="x", matchers=("kind=entity",), ends_ms=at(1), **BY), "over"),
        (Silence(id="x", matchers=(), ends_ms=at(99), **BY), "wrong"),
        (Silence(id="x", matchers=("kind=~(",), ends_ms=at(99), **BY), "wrong"),
        (ExpireSilence(id="x", silence="gone", **BY), "unknown"),
        (Unwatch(id="x", name="gone", **BY), "unknown"),
    ],
)
def test_a_decision_that_cannot_be_followed_is_refused_with_its_reason(decision: Decision, outcome: str) -> None:
    court = Court(POLICY)
    court.events(alert("a", 1), alert("ended", 1), alert("ended", 2, "resolved", revision=2))
    court.tick(2)
    before = dict(court.rows)
    assert court.decide(decision) == outcome
    assert court.effects[-1].answers[0].detail
    assert {key: row for key, row in court.rows.items() if key not in ("j/meta", "j/d/x")} == {
        key: row for key, row in before.items() if key != "j/meta"
    }
    assert decision_from_json(msgspec.json.encode(decision)) == decision


def test_a_silence_hides_until_its_end_and_says_so_before(court: Court) -> None:
    court.events(alert("a", 1))
    court.tick(2)
    silence = Silence(id=new_id(), matchers=('series="entity/a"',), ends_ms=at(102), **BY)
    assert court.decide(silence) == "accepted"
    assert court.effects[-1].answers[0].detail == "1 firing alerts match"
    court.events(alert("b", 50))
    court.tick(55)
    court.events(alert("b", 60, "resolved", revision=2))
    court.tick(130)
    assert court.sent() == [
        ("mail", 1, "opened", ("a",)),
        ("mail", 50, "updated", ("b",)),
        ("mail", 87, "expiring", ("a",)),
        ("mail", 110, "repeated", ("a", "b")),
        ("boss", 112, "escalated", ("a",)),
        ("mail", 130, "repeated", ("a",)),
        ("boss", 130, "repeated", ("a",)),
    ]
    assert shown(court, "a").hidden_by == ""


def test_a_silence_until_worse_lets_the_critical_alert_through(court: Court) -> None:
    court.events(alert("a", 1))
    court.tick(2)
    court.decide(Silence(id=new_id(), matchers=("kind=entity",), ends_ms=at(999), until_worse=True, **BY))
    court.events(alert("b", 3))
    court.tick(20)
    assert len(court.sent()) == 1
    court.events(alert("a", 21, "escalated", revision=2, severity="critical"))
    court.tick(22)
    assert court.sent()[1:] == [("mail", 21, "updated", ("a",))]


def test_a_silence_that_is_lifted_lets_through_what_still_fires(court: Court) -> None:
    silence = Silence(id=new_id(), matchers=("kind=entity",), ends_ms=at(999), **BY)
    court.tick(0)
    court.decide(silence)
    court.events(alert("a", 1), alert("b", 1), alert("b", 3, "resolved", revision=2))
    court.tick(10)
    assert court.sent() == []
    assert court.decide(ExpireSilence(id=new_id(), silence=silence.id, seen=1, **BY)) == "accepted"
    assert court.sent() == [("mail", 10, "opened", ("a",))]


def test_maintenance_is_a_planned_time_about_everything(court: Court) -> None:
    court.tick(0)
    court.decide(Maintenance(id=new_id(), starts_ms=at(10), ends_ms=at(20), **BY))
    court.events(alert("a", 1), alert("b", 12))
    court.tick(30)
    assert [one for one in court.sent() if one[0] == "mail"] == [
        ("mail", 1, "opened", ("a",)),
        ("mail", 20, "updated", ("a", "b")),
    ]


def test_a_company_under_a_market_wide_move_is_not_sent(court: Court) -> None:
    court.events(alert("all", 1, series="everything"), alert("a", 1))
    court.tick(5)
    assert court.sent() == [("mail", 1, "opened", ("all",))]
    assert shown(court, "a").hidden_by == "inhibited/all"
    court.events(alert("all", 6, "resolved", revision=2))
    court.tick(9)
    assert court.sent()[1:] == [("mail", 6, "updated", ("a", "all"))]


def test_notes_and_assignment_are_shown(court: Court) -> None:
    court.events(alert("a", 1))
    court.tick(1)
    assert court.decide(Assign(id=new_id(), target="a", to="bob", **BY)) == "accepted"
    assert court.decide(Note(id=new_id(), target="a", text="a rumour", **BY)) == "accepted"
    row = shown(court, "a")
    assert (row.assigned_to, [note.text for note in row.notes], row.seen_version) == ("bob", ["a rumour"], 3)


def test_a_watchlist_is_made_replaced_and_given_up(court: Court) -> None:
    assert court.decide(Watch(id=new_id(), name="banks", body={"names": ["Bank"]}, seen=0, **BY)) == "accepted"
    assert court.decide(Watch(id=new_id(), name="banks", body={"names": ["B"]}, seen=0, **BY)) == "moved"
    assert court.decide(Watch(id=new_id(), name="banks", body={"names": ["B"]}, seen=1, **BY)) == "accepted"
    assert court.decide(Unwatch(id=new_id(), name="banks", seen=2, **BY)) == "accepted"
    assert court.effects[-1].views[0].body is None
    assert not [key for key in court.rows if key.startswith("j/w/")]


def test_answers_are_kept_for_a_while() -> None:
    court = Court(POLICY)
    for number in range(1_010):
        court.decide(Watch(id=f"many{number}", name=f"w{number % 7}", **BY))
    assert len([key for key in court.rows if key.startswith("j/d/")]) == 1_000
    assert court.decide(Watch(id="many1009", name="w0", **BY)) == "repeated"


def test_refusals_are_kept_as_long_as_what_was_accepted() -> None:
    court = Court(POLICY)
    for number in range(1_010):
        assert court.decide(Unwatch(id=f"many{number}", name="none", **BY)) == "unknown"
    assert len([key for key in court.rows if key.startswith("j/d/")]) == 1_000
    assert court.decide(Watch(id="w", name="none", **BY)) == "accepted"
    assert court.decide(Unwatch(id="many1009", name="none", **BY)) == "unknown"
    assert court.decide(Unwatch(id="many0", name="none", **BY)) == "accepted"


def test_what_cannot_be_read_is_decided_once_it_can() -> None:
    court = Court(POLICY)
    assert court.decide(Unreadable(id="x", problem="it is newer", **BY)) == "wrong"
    assert court.decide(Watch(id="x", name="w", **BY)) == "accepted"


@pytest.mark.parametrize("restart", [False, True])
def test_another_policy_takes_the_alerts_that_fire(restart: bool) -> None:
    court = Court(Policy.default(["mail"]), restart=restart)
    court.events(alert("a", 1))
    court.tick(5)
    court.policy = Policy.default(["pager", "mail"])
    court.judge = Judge(court.policy, court.rows)
    court.tick(6)
    court.tick(30)
    assert court.sent() == [("mail", 1, "opened", ("a",)), ("pager", 5, "opened", ("a",))]
    court.events(alert("a", 31, "resolved", revision=2))
    court.tick(60)
    assert sorted(court.sent()[2:]) == [("mail", 31, "resolved", ("a",)), ("pager", 31, "resolved", ("a",))]


def test_a_warning_about_one_silence_does_not_hide_the_end_of_another(court: Court) -> None:
    court.tick(0)
    court.decide(Maintenance(id="z", starts_ms=at(1), ends_ms=at(60), **BY))
    court.decide(Silence(id="a", matchers=("kind=source",), ends_ms=at(75), **BY))  # announced when the other ends
    court.events(alert("a", 5))
    court.tick(70)
    assert court.sent()[:1] == [("mail", 60, "opened", ("a",))]
