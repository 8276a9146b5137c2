"""The back-off: bounded, never shorter after more failures, and deaf to nonsense that a server asks for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.backoff import Backoff
from alerts.delivery.retry_after import retry_after_seconds

NOW_MS = 1_780_000_000_000
FAILURES = st.integers(1, 10**9)
CHANCES = st.floats(0.0, 1.0, exclude_max=True)
SHAPES = st.builds(
    Backoff,
    first_seconds=st.floats(0.001, 600.0),
    longest_seconds=st.floats(600.0, 90_000.0),
    spread=st.tuples(st.floats(0.5, 1.5), st.floats(0.5, 1.5)),
    longest_asked_seconds=st.floats(1.0, 90_000.0),
)
HOSTILE = st.one_of(
    st.floats(),
    st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 1e308]),
)


@given(SHAPES, FAILURES, CHANCES, HOSTILE)
def test_a_wait_is_bounded_whatever_is_asked(backoff: Backoff, failures: int, chance: float, asked: float) -> None:
    wait = backoff.wait_seconds(failures, chance=chance, asked_seconds=asked)
    assert backoff.first_seconds * min(backoff.spread) * 0.999 <= wait
    assert wait <= max(backoff.longest_seconds * max(backoff.spread) * 1.001, backoff.longest_asked_seconds)


@given(SHAPES, st.integers(1, 100), CHANCES)
def test_more_failures_never_shorten_the_wait(backoff: Backoff, failures: int, chance: float) -> None:
    waits = [backoff.wait_seconds(number, chance=chance) for number in (failures, failures + 1, failures + 1_000)]
    assert waits == sorted(waits)


@given(SHAPES, FAILURES, CHANCES, st.floats(0.0, 1.0))
def test_a_longer_wait_that_is_asked_for_is_obeyed(backoff: Backoff, failures: int, chance: float, part: float) -> None:
    asked = part * backoff.longest_asked_seconds
    wait = backoff.wait_seconds(failures, chance=chance, asked_seconds=asked)
    assert wait == max(backoff.wait_seconds(failures, chance=chance), asked)


def test_the_wait_doubles_up_to_the_longest() -> None:
    backoff = Backoff(first_seconds=1.5, longest_seconds=10.0)
    assert [backoff.wait_seconds(failures) for failures in range(1, 6)] == [1.5, 3.0, 6.0, 10.0, 10.0]
    assert backoff.wait_seconds(10**9) == 10.0
    assert Backoff(60.0, 60.0).wait_seconds(7) == 60.0


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("-5", 2.0),
        ("1e9", 2.0),
        ("9" * 400, 2.0),
        ("soon", 2.0),
        ("nan", 2.0),
        ("Wed, 01 Jan 2020 00:00:00 GMT", 2.0),
        ("Mon, 01 Jan 2020 00:00:00 +9999", 2.0),
        ("1", 2.0),
        ("7", 7.0),
        ("99999999999", 300.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
    ],
)
def test_a_hostile_retry_after_neither_shortens_nor_exceeds_the_bounds(header: str, wait: float) -> None:
    asked = retry_after_seconds(header, NOW_MS, 300.0) or 0.0
    assert Backoff(first_seconds=2.0, longest_seconds=60.0).wait_seconds(1, asked_seconds=asked) == wait
