"""The few distributions that are written out equal those of scipy.stats, which takes a third of a second to load."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, binomtest

from models.evaluation.slices import wilson_interval
from models.gate import better_by_chance, lower_bound


@given(won=st.integers(0, 3_000), lost=st.integers(0, 3_000), alpha=st.floats(1e-6, 0.5))
@settings(max_examples=300, deadline=None)
def test_gate_of_wins_and_losses(won: int, lost: int, alpha: float) -> None:
    if won + lost:
        assert better_by_chance(won, lost) == pytest.approx(float(binom.sf(won - 1, won + lost, 0.5)), rel=1e-9, abs=0)
    if won:
        least = float(beta.ppf(alpha, won, lost + 1))
        assert lower_bound(7_000, won, lost, alpha) == pytest.approx((2 * least - 1) * (won + lost) / 7_000, rel=1e-9)


@given(rows=st.integers(1, 100_000), share=st.floats(0, 1))
def test_wilson_interval(rows: int, share: float) -> None:
    right = round(share * rows)
    want = binomtest(right, rows).proportion_ci(method="wilson")
    assert wilson_interval(right, rows) == pytest.approx((want.low, want.high), rel=1e-12, abs=1e-12)
