"""Ticks, hours of the week and exposure, against slower ways of counting them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.clock import DAY_CELLS, day_cell, exposure_hours, fold_week, forgetting_per_day, tick_of, week_hour

hours = st.integers(400_000, 600_000)


@given(st.integers(0, 10**13), st.sampled_from([5_000, 30_000, 60_000, 3_600_000]))
def test_a_tick_is_the_first_multiple_after_the_item(seen_ms: int, hop_ms: int) -> None:
    tick_ms = tick_of(seen_ms, hop_ms)
    assert tick_ms % hop_ms == 0
    assert tick_ms - hop_ms <= seen_ms < tick_ms


@given(hours)
def test_hours_of_the_week_are_the_calendars(hour: int) -> None:
    at = datetime.fromtimestamp(hour * 3600, UTC)
    assert week_hour(hour) == at.weekday() * 24 + at.hour
    assert day_cell(hour) == at.hour + (24 if at.weekday() >= 5 else 0)


@given(hours, st.integers(0, 1_000), st.integers(0, 3), st.floats(0.5, 60))
def test_exposure_counts_each_hour_with_its_days_weight(
    start: int, length: int, days_later: int, half_life: float
) -> None:
    forgetting = forgetting_per_day(half_life)
    end = start + length
    today = max(end - 1, start) // 24 + days_later
    expected = np.zeros(168)
    for hour in range(start, end):
        expected[week_hour(hour)] += forgetting ** (today - hour // 24)
    assert exposure_hours(start, end, today, forgetting) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_half_the_weight_is_gone_after_the_half_life() -> None:
    assert forgetting_per_day(14) ** 14 == pytest.approx(0.5)


def test_folding_sums_weekdays_and_weekends() -> None:
    folded = fold_week(np.arange(168, dtype=np.float64))
    assert folded.shape == (DAY_CELLS,)
    assert folded[0] == sum(range(0, 120, 24))
    assert folded[24] == 120 + 144
