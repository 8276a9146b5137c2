"""Which notification is due when: any answers of receivers, at any times, against rules that are easy to state."""

from __future__ import annotations

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.delivery import (
    Delivered,
    Deliveries,
    Delivery,
    GiveUp,
    Notification,
    Planned,
    Receiver,
    RetryLater,
    Status,
    Told,
    attempted,
    back_off_seconds,
    redirected,
    resent,
)
from alerts.delivery.planned import wait_ms
from tests.alerts.delivery_event import NOW_MS, delivery_event

DAY_MS = 86_400_000
ANSWERS = st.one_of(
    st.just(Delivered()),
    st.builds(GiveUp, st.just("410")),
    st.builds(RetryLater, st.floats(allow_nan=True), st.text(max_size=500), st.booleans()),
)


def plan(number: int, alert: str = "a", since_ms: int = NOW_MS, attempts: int = 0) -> Planned:
    return Planned(
        receiver="webhook", alert=alert, version=number, series="all", change="opened", at_ms=NOW_MS, order=number,
        since_ms=since_ms, updated_ms=since_ms, revision=number, attempts=attempts,
    )  # fmt: skip


@given(answer=ANSWERS, attempt=st.integers(1, 10**6), passed=st.integers(0, 10 * DAY_MS))
def test_whatever_a_receiver_says_the_next_attempt_is_soon_and_not_at_once(
    answer: Delivery, attempt: int, passed: int
) -> None:
    now_ms = NOW_MS + passed
    after = attempted(plan(1), answer, attempt, now_ms, 3 * DAY_MS)
    assert after.attempts == 1
    assert len(after.problem) <= 400
    assert after.problem.isprintable()
    if after.status is Status.WAITING:
        assert passed < 3 * DAY_MS
        assert now_ms + (5_000 if after.down else 0) <= after.next_ms <= now_ms + DAY_MS
        assert after.down or after.next_ms <= NOW_MS + 3 * DAY_MS
    else:
        assert (after.status is Status.SENT) == isinstance(answer, Delivered)


@given(asked=st.floats(allow_nan=True), attempt=st.integers(1, 10**9))
def test_waits_are_5_seconds_to_a_day(asked: float, attempt: int) -> None:
    wait = wait_ms(asked, attempt)
    assert 5_000 <= wait <= DAY_MS
    assert math.isnan(asked) or wait <= max(asked * 1_000, 60_000)
    assert 5 <= back_off_seconds(Notification(delivery_event("a"), attempt)) <= 3_600 * 1.2


@given(seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_due_notifications_come_oldest_first_and_each_alert_in_its_order(seed: int) -> None:
    """Against a plain search through everything that waits."""
    rng = random.Random(seed)
    deliveries = Deliveries()
    made: dict[str, int] = {}
    now_ms = NOW_MS
    for order in range(60):
        known = list(deliveries)
        if not known or rng.random() < 0.5:
            alert = f"a{rng.randint(0, 4)}"
            made[alert] = made.get(alert, 0) + 1
            fresh = plan(made[alert], alert, now_ms)
            deliveries.take(msgspec.structs.replace(fresh, order=order))
        elif rng.random() < 0.2:
            deliveries.take(resent(rng.choice(known), f"r{order}", now_ms))
        elif (first := deliveries.first("webhook")) is not None:
            answer = rng.choice(
                (
                    Delivered(),
                    GiveUp("no"),
                    RetryLater(rng.random() * 90, "x", down=rng.random() < 0.5),
                    RetryLater(rng.random() * 90, "x", down=False, told=Told(("a@example.org",))),
                )
            )
            deliveries.take(attempted(first, answer, 1, now_ms, DAY_MS))
        now_ms += rng.randint(0, 60_000)
        waiting = [plan for plan in deliveries if plan.status is Status.WAITING]
        heads = {
            of: min((plan for plan in waiting if (plan.alert, bool(plan.told.had)) == of), key=lambda plan: plan.order)
            for of in {(plan.alert, bool(plan.told.had)) for plan in waiting}
        }
        wanted = min(heads.values(), key=lambda plan: (0 if plan.down else plan.next_ms, plan.order), default=None)
        assert deliveries.first("webhook") == wanted
        assert deliveries.waiting("webhook") == len(waiting)
        assert deliveries.waiting_for("webhook") == sorted(waiting, key=lambda plan: plan.order)


def test_who_has_it_is_remembered_until_all_have_it() -> None:
    some = Told(("a",), (("b", "550 gone"),))
    after = attempted(plan(1), RetryLater(60, "refused for c", down=False, told=some), 1, NOW_MS, DAY_MS, "x")
    assert after.told.left(("a", "b", "c", "d")) == ("c", "d")
    again = attempted(after, RetryLater(60, "no connection"), 2, NOW_MS, DAY_MS, "x")
    assert again.told == some
    assert redirected(again, "y", NOW_MS).told.left(("a", "b", "c")) == ("b", "c")
    late = attempted(again, RetryLater(60, "still refused", down=False), 3, NOW_MS + DAY_MS, DAY_MS, "x")
    assert late.status is Status.FAILED
    assert resent(late, "r", NOW_MS).told.left(("a", "b", "c")) == ("b", "c")
    assert resent(attempted(late, Delivered(), 4, NOW_MS, DAY_MS), "r", NOW_MS).told == Told()


def test_a_receiver_that_is_down_rests_longer_and_longer_and_wakes_when_it_takes_something() -> None:
    receiver, now_ms, rests = Receiver("webhook"), NOW_MS, []
    for _ in range(6):
        attempt = receiver.failures + 1
        receiver.heard(RetryLater(5.0 * 2 ** (attempt - 1), "no connection"), attempt, now_ms)
        rests.append((receiver.next_ms - now_ms) // 1000)
        assert receiver.rests(now_ms)
        now_ms = receiver.next_ms
        assert not receiver.rests(now_ms)
    assert rests == [5, 10, 20, 40, 80, 160]
    assert receiver.failing_ms == NOW_MS
    receiver.heard(RetryLater(60, "answered 413", down=False), 1, now_ms)  # it answers: this notification alone waits
    assert (receiver.failures, receiver.failing_ms, receiver.rests(now_ms)) == (0, 0, False)


def test_a_clock_that_goes_back_ends_a_rest() -> None:
    receiver = Receiver("webhook")
    receiver.heard(RetryLater(60, "no connection"), 1, NOW_MS)
    assert receiver.rests(NOW_MS + 1)
    assert not receiver.rests(NOW_MS - 1)


@pytest.mark.parametrize("attempts", [1, 9])
def test_a_restart_goes_on_with_the_rest_that_the_last_probe_began(attempts: int) -> None:
    probe = plan(1, attempts=attempts - 1)
    probe = attempted(probe, RetryLater(600, "no connection"), attempts, NOW_MS, DAY_MS)
    receiver = Receiver("webhook")
    receiver.restore(plan(2))
    assert not receiver.rests(NOW_MS)
    receiver.restore(probe)
    assert receiver.rests(NOW_MS + 599_000)
    assert (receiver.failures, receiver.failing_ms, receiver.problem) == (attempts, NOW_MS, "no connection")
