"""How often a receiver is sent something, against a plain count over all attempts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.delivery.pace import Pace, Rate


@given(st.integers(1, 5), st.integers(1, 50), st.lists(st.integers(0, 30), max_size=60))
def test_no_span_of_the_rate_holds_more_than_it_allows_and_none_waits_in_vain(
    messages: int, per_ms: int, steps: list[int]
) -> None:
    pace, now_ms, sent = Pace(Rate(messages, per_ms)), 0, list[int]()
    for step in steps:
        now_ms += step
        within = [at for at in sent if at > now_ms - per_ms]
        wait_ms = pace.wait_ms(now_ms)
        assert (wait_ms == 0) == (len(within) < messages)
        now_ms += wait_ms
        assert pace.wait_ms(now_ms) == 0
        pace.sent(now_ms)
        sent.append(now_ms)


def test_a_clock_that_went_back_ends_a_wait_and_attempts_are_known_in_any_order() -> None:
    pace = Pace(Rate(2, 100))
    for at_ms in (90, 50, 70):
        pace.sent(at_ms)
    assert pace.times == [70, 90]
    assert pace.wait_ms(95) == 75
    assert pace.wait_ms(80) == 0


def test_without_a_rate_nothing_waits() -> None:
    pace = Pace()
    pace.sent(5)
    assert (pace.wait_ms(5), pace.times) == (0, [])
