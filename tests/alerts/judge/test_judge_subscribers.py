"""Subscribers: their own lists, severity, quiet hours and digests; what is refused at one address holds up no other."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from alerts.clock import HOUR_MS
from alerts.judge import Policy, Route
from alerts.judge.decisions import Decision, QuietHours, Silence, Subscribe, Unsubscribe, decision_from_json
from alerts.judge.routing import route_of
from tests.alerts.judge.judge_harness import START_MS, Court, alert, at

POLICY = Policy(root=Route(key="", receiver=""), receivers=frozenset({"mail", "pager"}), addressed=frozenset({"mail"}))
numbers = itertools.count()


def wish(name: str, **more: Any) -> Subscribe:
    return Subscribe(id=f"s{next(numbers)}", by=name, at_ms=at(0), name=name, channel="mail", **more)


@pytest.fixture(params=[False, True], ids=["one process", "restarts"])
def court(request: pytest.FixtureRequest) -> Court:
    return Court(POLICY, restart=request.param)


def subscribed(court: Court, *wishes: Subscribe) -> None:
    court.tick(0)
    for one in wishes:
        assert court.decide(one) == "accepted"


def test_each_gets_what_it_wants(court: Court) -> None:
    subscribed(
        court,
        wish("ann", watchlists=("my banks",)),
        wish("bob", minimum_severity="critical"),
        wish("cyd", matchers=("kind=~entity",), group_by=("series",)),
    )
    court.events(
        alert("a", 1, series="watchlist/my banks"),
        alert("n", 1, series="watchlist/my banksters"),
        alert("b", 1, severity="critical"),
        alert("c", 1),
    )
    court.tick(5)
    assert sorted(court.sent()) == [
        ("mail/ann", 3, "opened", ("a",)),
        ("mail/bob", 3, "opened", ("b",)),
        ("mail/cyd", 3, "opened", ("b",)),
        ("mail/cyd", 3, "opened", ("c",)),
    ]


def test_the_message_says_who_it_is_for(court: Court) -> None:
    subscribed(court, wish("ann", address="ann@example.org", language="de"))
    court.events(alert("a", 1))
    court.tick(5)
    [plan] = [plan for effects in court.effects for plan in effects.plans]
    group = plan.group
    assert (plan.receiver, group.receiver, group.subscriber, group.channel) == ("mail/ann", "mail/ann", "ann", "mail")
    assert (group.address, group.language) == ("ann@example.org", "de")


def test_quiet_hours_hold_all_but_what_is_severe(court: Court) -> None:
    # The start is 22:14 in UTC, 23:14 in Berlin.
    subscribed(court, wish("ann", quiet=QuietHours("22:00", "07:00"), time_zone="Europe/Berlin"))
    court.events(alert("a", 1))
    court.tick(30)
    assert court.sent() == []
    court.events(alert("b", 40, severity="critical"))
    court.tick(50)
    assert court.sent() == [("mail/ann", 42, "opened", ("b", "a"))]
    court.events(alert("c", 60))
    court.tick(12 * 60)
    seven = (7 * 60 + 24 * 60 - (23 * 60 + 14)) % (24 * 60)
    assert court.sent()[1:] == [("mail/ann", seven, "updated", ("b", "a", "c"))]


@pytest.mark.parametrize("digest", ["hour", "day"])
def test_a_digest_holds_what_changed_also_what_is_over(court: Court, digest: str) -> None:
    subscribed(court, wish("ann", digest=digest, digest_at="23:00"))
    court.events(alert("a", 1), alert("b", 2, severity="critical"), alert("a", 5, "resolved", revision=2))
    court.tick(30)
    assert court.sent() == []
    court.tick(300)
    eleven = ((START_MS // HOUR_MS + 1) * HOUR_MS - START_MS) / 60_000
    assert court.sent() == [("mail/ann", eleven, "digest", ("b", "a"))]
    [plan] = [plan for effects in court.effects for plan in effects.plans]
    assert plan.group.digest == digest


@pytest.mark.parametrize(("digest", "apart"), [("hour", 60), ("day", 24 * 60)])
def test_a_digest_of_notes_keeps_its_times(court: Court, digest: str, apart: int) -> None:
    subscribed(court, wish("ann", digest=digest, digest_at="23:00", minimum_severity="info"))
    for minute in range(1, 3 * apart, apart // 6):
        court.events(alert(f"n{minute}", minute, "noted", severity="info"))
        court.tick(minute)
    court.tick(4 * apart)
    eleven = ((START_MS // HOUR_MS + 1) * HOUR_MS - START_MS) / 60_000
    minutes = [minute for _, minute, _, _ in court.sent()]
    assert minutes == [eleven + apart * number for number in range(len(minutes))]
    assert len(minutes) in (3, 4)


def test_a_digest_is_not_told_between_that_a_silence_ends(court: Court) -> None:
    subscribed(court, wish("ann", digest="day", digest_at="23:00"))
    court.events(alert("a", 1))
    court.tick(1)
    mute = Silence(id="q", by="ann", at_ms=at(1), matchers=("kind=entity",), ends_ms=at(120))
    assert court.decide(mute) == "accepted"
    court.tick(24 * 60)
    assert court.sent() == []
    court.tick(48 * 60)
    assert [change for _, _, change, _ in court.sent()] == ["digest"]


def test_a_subscription_is_replaced_and_ended(court: Court) -> None:
    subscribed(court, wish("ann"))
    court.events(alert("a", 1))
    court.tick(1)
    assert court.decide(wish("ann", minimum_severity="critical", seen=0)) == "moved"
    assert court.decide(wish("ann", minimum_severity="critical", seen=1)) == "accepted"
    court.events(alert("b", 2))
    court.tick(10)
    assert court.sent() == []
    assert court.decide(Unsubscribe(id="end", by="ann", at_ms=at(0), name="ann", seen=2)) == "accepted"
    court.events(alert("c", 11, severity="critical"))
    court.tick(20)
    assert court.sent() == []
    assert [key for key in court.rows if key[:4] in ("j/s/", "j/g/")] == []


def test_a_new_subscriber_is_sent_what_fires_already(court: Court) -> None:
    court.events(alert("a", 1), alert("b", 1), alert("c", 1, severity="critical"))
    court.events(alert("b", 5, "resolved", revision=2))
    court.tick(10)
    assert court.decide(wish("ann", minimum_severity="critical")) == "accepted"
    court.tick(20)
    assert court.sent() == [("mail/ann", 12, "opened", ("c",))]


def test_a_changed_subscription_repeats_nothing_and_forgets_nothing(court: Court) -> None:
    """What was sent stays known: only the alert that is new to it comes, and later the end of all."""
    subscribed(court, wish("ann", minimum_severity="critical"))
    court.events(alert("a", 1, severity="critical"), alert("b", 1))
    court.tick(10)
    assert court.sent() == [("mail/ann", 3, "opened", ("a",))]
    assert court.decide(wish("ann", seen=1, matchers=("name=~.*",), address="new@example.org")) == "accepted"
    court.tick(20)
    assert court.sent()[1:] == [("mail/ann", 12, "updated", ("a", "b"))]
    assert court.decide(wish("ann", seen=2, group_by=("series",))) == "accepted"
    court.events(alert("a", 21, "resolved", severity="critical", revision=2))
    court.tick(60)
    assert court.sent()[2:] == [("mail/ann", 23, "resolved", ("a",))]


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (wish("ann", time_zone="Mars/Base"), "no time zone 'Mars/Base'"),
        (wish("ann", quiet=QuietHours("00:00", "00:00")), "quiet: 00:00 to 00:00 would be quiet all day"),
        (wish("ann", quiet=QuietHours("07:00", "07:00")), "write two times, such as 22:00-07:00"),
        (wish("ann", quiet=QuietHours("22:00", "07:00", "loud")), "quiet.unless: there is no severity 'loud'"),
        (wish("ann", minimum_severity="loud"), "minimum_severity: there is no severity 'loud'"),
        (wish("ann\nbob"), "write one line"),
        (wish("ann", group_by=("series\x1b[2J",)), "group_by: write one line"),
        (wish("ann", address="a@b.c\nBcc: d@e.f"), "address: write one line"),
        (wish("ann", digest="week"), "write hour or day"),
        (
            Subscribe(id="c", by="ann", at_ms=at(0), name="ann", channel="pager", address="https://chat.example/T/1"),
            "'pager' sends to the operator's address alone; leave the address out (take one that sends e-mail: mail)",
        ),
        (wish("ann", matchers=("kind=~(",)), "no pattern of RE2"),
        (Subscribe(id="c", by="ann", at_ms=at(0), name="ann", channel="mial"), "no receiver is called 'mial'"),
    ],
)
def test_a_wish_that_is_wrong_is_refused(court: Court, decision: Decision, words: str) -> None:
    assert court.decide(decision) == "wrong"
    assert words in court.effects[-1].answers[0].detail


def test_quiet_hours_without_length_that_were_accepted_once_mute_nothing() -> None:
    """Such rows are there from before it was refused: their subscribers are sent what they wished for."""
    hours = route_of(wish("ann", quiet=QuietHours("07:00", "07:00"))).hours
    assert not any(hours.closed(at(minute), rank) for minute in range(0, 24 * 60, 60) for rank in range(3))


@pytest.mark.parametrize(("seen", "words"), [(1, "'ann' was removed; you saw version 1"), (0, "is there already, in")])
def test_who_comes_second_hears_what_the_first_did(court: Court, seen: int, words: str) -> None:
    subscribed(court, wish("ann"))
    if seen:
        assert court.decide(Unsubscribe(id="end", by="bob", at_ms=at(0), name="ann", seen=1)) == "accepted"
    assert court.decide(wish("ann", seen=seen)) == "moved"
    assert words in court.effects[-1].answers[0].detail


def test_quiet_hours_are_times_of_a_day() -> None:
    with pytest.raises(ValueError, match="regex"):
        decision_from_json(
            b'{"kind":"subscribe","id":"a","by":"a","at_ms":0,"name":"a","channel":"m","quiet":{"start":"7","end":"8"}}'
        )
