"""The judge groups alerts, waits for all partitions and routes messages, also when it is restarted at every entry."""

from __future__ import annotations

import pytest

from alerts.clock import MINUTE_MS
from alerts.judge import Event, Policy, Route, Seal
from alerts.judge.flush import MOST_ALERTS
from alerts.judge.policy import Escalation, ResolvedMessages
from alerts.judge.rows import ALERT, AlertRow, row_of
from alerts.matchers import parse_matchers
from tests.alerts.judge.judge_harness import Court, alert, at


def policy(*routes: Route, receivers: tuple[str, ...] = ("mail", "pager", "boss")) -> Policy:
    return Policy(root=Route(key="", receiver="mail", routes=routes), receivers=frozenset(receivers))


DEFAULT = Policy.default(["mail"])
WAITING = policy(
    Route(
        key="waits",
        receiver="mail",
        group_by=("signal",),
        group_wait_ms=2 * MINUTE_MS,
        group_interval_ms=15 * MINUTE_MS,
    )
)


@pytest.fixture(params=[False, True], ids=["one process", "restarts"])
def court(request: pytest.FixtureRequest) -> Court:
    return Court(WAITING, restart=request.param)


@pytest.mark.parametrize("restart", [False, True])
def test_without_a_file_the_alerts_of_a_tick_are_one_message_at_once(restart: bool) -> None:
    """An alert is sent with its tick: people wait for it, and all that one story opened is in it."""
    court = Court(DEFAULT, restart=restart)
    court.events(*(alert(name, 1) for name in "abcdefg"))
    court.tick(1)
    court.events(alert("h", 2))
    court.tick(2)
    court.tick(30)
    assert court.sent() == [("mail", 1, "opened", tuple("abcdefg")), ("mail", 16, "updated", tuple("abcdefgh"))]


def test_a_crisis_is_one_message(court: Court) -> None:
    court.events(*(alert(name, 1) for name in "abcdefg"))
    court.tick(1)
    court.events(alert("h", 2))
    court.tick(2)
    court.tick(10)
    assert court.sent() == [("mail", 3, "opened", tuple("abcdefgh"))]


def test_the_end_is_one_message(court: Court) -> None:
    court.events(alert("a", 1), alert("b", 1))
    court.tick(5)
    court.events(alert("a", 30, "resolved", revision=2))
    court.tick(30)
    court.tick(60)
    court.events(alert("b", 70, "resolved", revision=2))
    court.tick(120)
    assert court.sent() == [("mail", 3, "opened", ("a", "b")), ("mail", 72, "resolved", ("a", "b"))]
    assert [key for key in court.rows if key.startswith("j/g/")] == []
    told = {plan.group.id for effects in court.effects for plan in effects.plans}
    past = [row_of(row, AlertRow).past_groups for key, row in court.rows.items() if key.startswith(ALERT)]
    assert past == [list(told)] * 2  # who was told is known by it


def test_what_joins_later_waits_for_the_interval_and_what_becomes_worse_does_not(court: Court) -> None:
    court.events(alert("a", 1))
    court.tick(4)
    court.events(alert("b", 5))
    court.tick(5)
    court.events(alert("a", 7, "escalated", revision=2, severity="critical"))
    court.tick(30)
    assert court.sent() == [("mail", 3, "opened", ("a",)), ("mail", 9, "updated", ("a", "b"))]


def test_a_tick_is_decided_when_all_partitions_have_sealed_it(court: Court) -> None:
    court.events(alert("a", 1))
    court.apply(Seal(0, 2, at(9)))
    assert court.sent() == []
    assert court.judge.held == 1
    court.events(alert("b", 1), partition=1)
    court.apply(Seal(1, 2, at(9)))
    assert court.sent() == [("mail", 3, "opened", ("a", "b"))]


def test_a_partition_that_is_away_is_not_waited_for(court: Court) -> None:
    court.apply(Seal(1, 2, at(0)))
    court.events(alert("a", 1))
    court.apply(Seal(0, 2, at(9)))
    assert court.judge.lagging == (1,)
    court.clock(9, 1)
    assert court.judge.away == (1,)
    assert court.sent() == [("mail", 3, "opened", ("a",))]
    court.events(alert("b", 2), partition=1)  # it is back, late
    court.apply(Seal(1, 2, at(2)))
    assert list(court.judge.away) == []
    court.apply(Seal(1, 2, at(30)), Seal(0, 2, at(30)))
    assert court.sent()[1:] == [("mail", 18, "updated", ("a", "b"))]


def test_a_clock_moves_time_where_no_tick_comes(court: Court) -> None:
    court.events(alert("a", 1))
    [effects] = court.tick(1)
    assert effects.next_timer_ms == at(3)
    court.clock(3)
    assert court.sent() == [("mail", 3, "opened", ("a",))]


def test_events_that_come_again_change_nothing(court: Court) -> None:
    court.events(alert("a", 1))
    court.tick(5)
    court.events(alert("a", 6, "resolved", revision=2))
    court.tick(60)
    before = court.sent()
    court.events(alert("a", 1), alert("a", 6, "resolved", revision=2))
    court.tick(90)
    assert court.sent() == before


def test_a_position_is_applied_once() -> None:
    court = Court(DEFAULT)
    court.events(alert("a", 1))
    court.tick(1)
    assert court.judge.apply(Seal(0, 1, at(30)), 1).plans == []
    assert court.judge.now_ms == at(1)


@pytest.mark.parametrize("restart", [False, True])
def test_routes_are_a_tree(restart: bool) -> None:
    critical = Route(key="critical", receiver="pager", matchers=parse_matchers("severity=critical"), goes_on=True)
    entity = Route(key="entity", receiver="mail", matchers=parse_matchers("kind=entity"), group_by=("series",))
    court = Court(policy(critical, entity), restart=restart)
    court.events(alert("a", 1), alert("b", 1, severity="critical"), alert("c", 1, series="source/c"))
    court.tick(2)
    assert sorted(court.sent()) == [
        ("mail", 1, "opened", ("a",)),
        ("mail", 1, "opened", ("b",)),
        ("mail", 1, "opened", ("c",)),
        ("pager", 1, "opened", ("b",)),
    ]


@pytest.mark.parametrize("restart", [False, True])
def test_what_nobody_acknowledges_goes_to_the_next_receiver(restart: bool) -> None:
    route = Route(
        key="r",
        receiver="pager",
        escalations=(Escalation(10 * MINUTE_MS, "mail"), Escalation(30 * MINUTE_MS, "boss")),
        repeat_interval_ms=20 * MINUTE_MS,
    )
    court = Court(policy(route), restart=restart)
    court.events(alert("a", 1))
    court.tick(35)
    court.events(alert("a", 40, "resolved", revision=2))
    court.tick(60)
    assert court.sent() == [
        ("pager", 1, "opened", ("a",)),
        ("mail", 11, "escalated", ("a",)),
        ("pager", 21, "repeated", ("a",)),
        ("mail", 21, "repeated", ("a",)),
        ("boss", 31, "escalated", ("a",)),
        ("pager", 40, "resolved", ("a",)),
        ("mail", 40, "resolved", ("a",)),
        ("boss", 40, "resolved", ("a",)),
    ]


@pytest.mark.parametrize(
    ("resolved", "minutes"),
    [(ResolvedMessages.EACH, [1, 10, 20]), (ResolvedMessages.ALL, [1, 20]), (ResolvedMessages.NEVER, [1])],
)
def test_a_route_says_which_ends_are_messages(resolved: ResolvedMessages, minutes: list[int]) -> None:
    court = Court(policy(Route(key="r", receiver="mail", resolved=resolved)))
    court.events(alert("a", 1), alert("b", 1))
    court.tick(1)
    court.events(alert("a", 10, "resolved", revision=2))
    court.tick(10)
    court.events(alert("b", 20, "resolved", revision=2))
    court.tick(60)
    assert [minute for _, minute, _, _ in court.sent()] == minutes
    assert [key for key in court.rows if key.startswith("j/g/")] == []


def test_notes_are_sent_once_and_at_most_one_message_an_interval(court: Court) -> None:
    court.events(alert("a", 1, "noted", severity="info"), alert("b", 2, "noted", severity="info"))
    court.tick(4)
    court.events(*(alert(name, 5, "noted", severity="info") for name in "cde"))
    court.tick(30)
    court.tick(120)
    assert court.sent() == [("mail", 3, "opened", ("a", "b")), ("mail", 18, "opened", ("c", "d", "e"))]
    assert [key for key in court.rows if key.startswith("j/g/")] == []


def test_notes_that_one_message_does_not_hold_come_in_further_ones(court: Court) -> None:
    court.events(*(alert(f"n{number:03d}", 1, "noted", severity="info") for number in range(2 * MOST_ALERTS + 1)))
    court.tick(10)
    sent = court.sent()
    assert [(change, len(alerts)) for _, _, change, alerts in sent] == [
        ("opened", MOST_ALERTS), ("updated", MOST_ALERTS), ("updated", 1),
    ]  # fmt: skip
    assert len({name for _, _, _, alerts in sent for name in alerts}) == 2 * MOST_ALERTS + 1
    groups = [plan.group for effects in court.effects for plan in effects.plans]
    assert [group.revision for group in groups] == [1, 2, 3]
    assert [group.firing for group in groups] == [MOST_ALERTS, MOST_ALERTS, 1]


def test_an_event_that_nobody_seals_is_decided_as_it_comes(court: Court) -> None:
    court.tick(1)
    court.apply(Event(alert("a", 9), 0, 0))
    court.tick(5)
    assert court.sent() == [("mail", 3, "opened", ("a",))]


def test_information_has_messages_of_its_own_beside_a_crisis(court: Court) -> None:
    court.events(alert("a", 1), alert("news", 2, "noted", severity="info"))
    court.tick(5)
    court.events(alert("more", 20, "noted", severity="info"))
    court.tick(40)
    sent = court.sent()
    assert [(change, alerts) for _, _, change, alerts in sent if alerts == ("a",)] == [("opened", ("a",))]
    assert [alerts for _, _, _, alerts in sent if alerts != ("a",)] == [("news",), ("more",)]
