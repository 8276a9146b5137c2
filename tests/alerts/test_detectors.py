"""The tails against scipy's own distributions, and their shape."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from alerts.detectors import (
    SMALLEST_P,
    share_interval,
    share_tail,
    size_from_dispersion,
    volume_interval,
    volume_tail,
)

means = st.floats(1e-4, 500)
sizes = st.floats(0.02, 1e4)
betas = st.floats(0.05, 400)


@given(st.integers(1, 400), means, sizes)
def test_the_volume_tail_is_the_negative_binomials(count: int, mean: float, size: float) -> None:
    expected = float(stats.nbinom.sf(count - 1, size, size / (size + mean)))  # 8 digits where the mean is small
    if expected > 1e-280:
        assert volume_tail(count, mean, size) == pytest.approx(expected, rel=1e-6)


@given(st.integers(1, 60), st.integers(0, 60), betas, betas)
def test_the_share_tail_is_the_beta_binomials(negative: int, others: int, alpha: float, beta: float) -> None:
    total = negative + others
    ks = np.arange(negative, total + 1)
    expected = math.fsum(np.exp(stats.betabinom.logpmf(ks, total, alpha, beta)))
    if expected > 1e-280:
        assert share_tail(negative, total, alpha, beta) == pytest.approx(min(expected, 1.0), rel=1e-9)


def test_the_share_tail_agrees_with_scipys_survival_function() -> None:
    for negative, total, alpha, beta in [(7, 9, 2.0, 8.0), (40, 120, 30.0, 120.0), (3, 3, 0.5, 4.5)]:
        expected = float(stats.betabinom.sf(negative - 1, total, alpha, beta))
        assert share_tail(negative, total, alpha, beta) == pytest.approx(expected, rel=1e-6)


@given(st.integers(0, 300), means, sizes)
def test_more_negative_items_are_never_less_surprising(count: int, mean: float, size: float) -> None:
    assert volume_tail(count + 1, mean, size) <= volume_tail(count, mean, size) * (1 + 1e-12)


@given(st.integers(1, 300), means, sizes, st.floats(1.0, 3.0))
def test_a_higher_expectation_makes_a_count_less_surprising(
    count: int, mean: float, size: float, factor: float
) -> None:
    assert volume_tail(count, mean * factor, size) >= volume_tail(count, mean, size) * (1 - 1e-9)


@given(st.integers(0, 40), st.integers(0, 40), betas, betas)
def test_more_of_the_same_items_negative_is_never_less_surprising(
    negative: int, others: int, alpha: float, beta: float
) -> None:
    total = negative + others + 1
    larger, smaller = share_tail(negative + 1, total, alpha, beta), share_tail(negative, total, alpha, beta)
    assert larger <= smaller * (1 + 1e-9)


def test_tails_are_probabilities_at_the_edges() -> None:
    assert volume_tail(0, 3.0, 2.0) == 1.0
    assert volume_tail(3, 0.0, 2.0) == SMALLEST_P
    assert volume_tail(100_000, 0.001, 5.0) == SMALLEST_P
    assert share_tail(0, 10, 1.0, 1.0) == 1.0
    assert share_tail(3_000, 3_000, 1.0, 500.0) >= SMALLEST_P


@given(means, sizes, st.sampled_from([0.8, 0.95, 0.99]))
def test_the_volume_interval_has_the_quantiles_of_scipy(mean: float, size: float, coverage: float) -> None:
    interval = volume_interval(mean, size, coverage)
    law = stats.nbinom(size, size / (size + mean))
    outside = (1 - coverage) / 2
    assert abs(interval.low - int(law.ppf(outside))) <= 1  # either side of a rounding edge
    assert abs(interval.high - int(law.ppf(1 - outside))) <= 1


@given(st.integers(1, 200), betas, betas)
def test_the_share_interval_covers_what_it_says(total: int, alpha: float, beta: float) -> None:
    interval = share_interval(total, alpha, beta, 0.95)
    law = stats.betabinom(total, alpha, beta)
    assert 0 <= interval.low <= interval.high <= total
    assert law.cdf(interval.high) - (law.cdf(interval.low - 1) if interval.low else 0.0) >= 0.95 - 1e-6


def test_no_dispersion_is_nearly_poisson() -> None:
    tail = volume_tail(9, 3.0, size_from_dispersion(0.0))
    assert tail == pytest.approx(float(stats.poisson.sf(8, 3.0)), rel=1e-5)
