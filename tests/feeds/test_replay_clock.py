"""Which dates of a file are believed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from streams.feeds.clock import stamp

NOW_MS = 1_800_000_000_000
START_MS = 1_680_000_000_000
MINUTE_MS, DAY_MS = 60_000, 86_400_000


def stamped(dates: list[int | None]) -> list[int]:
    return list(stamp(dates, now_ms=NOW_MS))


gaps = st.lists(st.integers(0, 20 * MINUTE_MS), min_size=1, max_size=120)


def sorted_dates(steps: list[int]) -> list[int | None]:
    dates, clock = [], START_MS
    for step in steps:
        clock += step
        dates.append(clock)
    return [*dates]


@given(gaps)
def test_a_sorted_file_keeps_every_date(steps: list[int]) -> None:
    dates = sorted_dates(steps)
    assert stamped(dates) == dates


@given(gaps, st.randoms(use_true_random=False))
def test_a_file_shuffled_within_the_lateness_keeps_every_date(steps: list[int], rng: random.Random) -> None:
    dates = sorted_dates(steps)
    dates.sort(key=lambda date: (date or 0) + rng.randint(0, 15 * MINUTE_MS))
    assert stamped(dates) == dates


@given(gaps, st.data())
def test_one_nonsense_date_moves_nobody(steps: list[int], data: st.DataObject) -> None:
    honest = sorted_dates([*steps, 1, 1, 1])
    at = data.draw(st.integers(0, len(honest)))
    wrong = data.draw(
        st.none() | st.integers(-DAY_MS, START_MS - 60 * DAY_MS) | st.integers(START_MS + 60 * DAY_MS, 4 * NOW_MS)
    )
    seen = stamped([*honest[:at], wrong, *honest[at:]])
    moved = seen.pop(at)
    assert seen == honest
    assert START_MS <= moved <= (honest[-1] or 0)


@given(st.lists(st.none() | st.integers(-NOW_MS, 3 * NOW_MS), max_size=80))
def test_any_dates_give_a_seen_each_and_none_in_the_future(dates: list[int | None]) -> None:
    seen = stamped(dates)
    assert len(seen) == len(dates)
    assert all(0 <= value <= NOW_MS + DAY_MS for value in seen)


def test_a_third_of_nonsense_is_outvoted() -> None:
    rng = random.Random(5)
    honest = [START_MS + n * MINUTE_MS for n in range(300)]
    dates: list[int | None] = [rng.choice([0, NOW_MS, None]) if n % 3 == 1 else date for n, date in enumerate(honest)]
    seen = stamped(dates)
    assert all(abs(value - date) < 40 * MINUTE_MS for value, date in zip(seen, honest, strict=True))
    assert [seen[n] for n in range(300) if n % 3 != 1] == [honest[n] for n in range(300) if n % 3 != 1]


def test_a_weekend_between_two_busy_days_moves_nobody() -> None:
    friday = [START_MS + n * MINUTE_MS for n in range(40)]
    monday = [START_MS + 3 * DAY_MS + n * MINUTE_MS for n in range(40)]
    for first in (1, 3, 14, 40):
        dates: list[int | None] = [*friday[:first], *monday]
        assert stamped(dates) == dates
        dates = [*friday, *monday[:first]]
        assert stamped(dates) == dates


def test_a_weekend_with_a_wrong_date_beside_it_moves_only_that() -> None:
    friday = [START_MS + n * MINUTE_MS for n in range(40)]
    monday = [START_MS + 3 * DAY_MS + n * MINUTE_MS for n in range(40)]
    for wrong in (0, NOW_MS):
        for at in (38, 39, 40, 41):
            honest = [*friday, *monday]
            seen = stamped([*honest[:at], wrong, *honest[at:]])
            assert seen.pop(at) in honest
            assert seen == honest


def test_a_sparse_file_is_believed_about_its_jumps() -> None:
    dates: list[int | None] = [START_MS + n * 7 * DAY_MS for n in range(12)]
    assert stamped(dates) == dates


def test_three_items_and_one_is_from_last_century() -> None:
    assert stamped([START_MS, START_MS + DAY_MS, 5]) == [START_MS, START_MS + DAY_MS, START_MS]


def test_lines_without_a_date_take_the_clock_of_their_neighbours() -> None:
    dates = [None, START_MS, None, START_MS + MINUTE_MS, *[None] * 50]
    seen = stamped(dates)
    assert seen[0] in (START_MS, START_MS + MINUTE_MS)
    assert set(seen[5:]) <= {START_MS, START_MS + MINUTE_MS}


def test_a_long_head_without_dates_waits_for_the_first_one() -> None:
    assert set(stamped([*[None] * 500, START_MS])) == {START_MS}


def test_a_file_that_names_no_date_is_read_now_in_bounded_memory() -> None:
    read = 0

    def dates() -> Iterator[None]:
        nonlocal read
        for _ in range(10_000):
            read += 1
            yield None

    results = stamp(dates(), now_ms=NOW_MS)
    assert next(results) == NOW_MS
    assert read < 3_000
    assert set(results) == {NOW_MS}
