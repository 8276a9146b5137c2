"""What a series remembers, against counting it all again."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import AlertConfig
from alerts.clock import day_cell
from alerts.history import HIT, History, Sight

CONFIG = AlertConfig.default("entity", signal="outage")
START_HOUR = 482_088  # a Monday, 00:00 UTC
items = st.lists(st.tuples(st.integers(0, 24 * 500), st.integers(0, 3), st.integers(0, 1)), max_size=120)


def filled(found: list[tuple[int, int, int]]) -> Sight:
    """(hour, quarter, negative) as hours and quarters in sight, in order of time."""
    sight = Sight()
    for hour, quarter, negative in sorted(found):
        at = START_HOUR + hour
        sight.hours[at] = sight.hours.get(at, 0) + (HIT + 1 if negative else 1)
        if negative:
            sight.quarters[4 * at + quarter] = sight.quarters.get(4 * at + quarter, 0) + 1
    return sight


@given(items, st.integers(1, 20))
def test_a_history_is_the_weighted_count_of_what_left_the_sight(found: list[tuple[int, int, int]], steps: int) -> None:
    history, sight, end_hour = History(), filled(found), START_HOUR + 24 * 500 + 1
    for step in range(1, steps + 1):
        history.settle(sight, START_HOUR + (end_hour - START_HOUR) * step // steps, CONFIG)
    today = end_hour // 24 + 2
    factor = history.factor(today, CONFIG.forgetting)

    def weigh(hour: int) -> float:
        return CONFIG.forgetting ** (today - (START_HOUR + hour) // 24)

    negative: dict[int, float] = defaultdict(float)
    total: dict[int, float] = defaultdict(float)
    for hour, _, is_negative in found:
        total[day_cell(START_HOUR + hour)] += weigh(hour)
        negative[day_cell(START_HOUR + hour)] += weigh(hour) * is_negative
    assert {cell: factor * value for cell, value in history.total.items()} == pytest.approx(total)
    positive = {cell: value for cell, value in negative.items() if value}
    assert {cell: factor * value for cell, value in history.hits.items()} == pytest.approx(positive)
    hours = Counter(hour for hour, _, is_negative in found if is_negative)
    quarters = Counter((hour, quarter) for hour, quarter, is_negative in found if is_negative)
    assert factor * history.hour_pairs == pytest.approx(sum(weigh(hour) * k * (k - 1) for hour, k in hours.items()))
    expected = sum(weigh(hour) * k * (k - 1) for (hour, _), k in quarters.items())
    assert factor * history.quarter_pairs == pytest.approx(expected)
    assert sight == Sight()


@given(items, st.integers(0, 24 * 400), st.integers(1, 24 * 6))
def test_an_episode_takes_its_items_and_its_hours(found: list[tuple[int, int, int]], start: int, length: int) -> None:
    """Up to three days of it: what lasts longer is normal again."""
    history, sight = History(), filled(found)
    history.settle(sight, START_HOUR + start, CONFIG)
    history.open_span(START_HOUR + start)
    history.settle(sight, START_HOUR + start + length // 2, CONFIG)
    history.close_span(START_HOUR + start + length)
    history.settle(sight, START_HOUR + 24 * 500 + 1, CONFIG)
    end = start + min(length, 72)
    today = START_HOUR // 24 + 501
    factor = history.factor(today, CONFIG.forgetting)
    kept = sum(
        CONFIG.forgetting ** (today - (START_HOUR + hour) // 24) for hour, _, _ in found if not start <= hour < end
    )
    left_out = sum(CONFIG.forgetting ** (today - (START_HOUR + hour) // 24) for hour in range(start, end))
    assert factor * sum(history.total.values()) == pytest.approx(kept)
    assert factor * sum(history.left_out.values()) == pytest.approx(left_out)
    assert history.spans == []


@given(items)
def test_a_history_survives_its_row(found: list[tuple[int, int, int]]) -> None:
    history = History()
    history.open_span(START_HOUR)
    history.settle(filled(found), START_HOUR + 9_000, CONFIG)
    assert History.from_row(history.row()) == history
