"""Probabilities stay probabilities, and the likeliest label stays so, whatever is undone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.calibration import calibrated, smoothed, softmax

LOGITS = arrays(np.float64, (4, 3), elements=st.floats(-30, 30))


@given(LOGITS, st.floats(0.3, 3), st.floats(0, 0.9))
def test_rows_sum_to_one_and_keep_their_order(logits: np.ndarray, temperature: float, smoothing: float) -> None:
    found = calibrated(logits, temperature, smoothing)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found > 0).all()
    ranks = np.take_along_axis(found, np.argsort(logits, axis=1), axis=1)
    assert (np.diff(ranks, axis=1) >= 0).all()


@given(LOGITS, st.floats(0.01, 0.5))
def test_what_was_smoothed_is_had_back(logits: np.ndarray, smoothing: float) -> None:
    thought = softmax(logits / 20)  # no label has next to nothing
    np.testing.assert_allclose(calibrated(np.log(smoothed(thought, smoothing)), 1.0, smoothing), thought, atol=1e-9)


def test_without_smoothing_it_is_the_softmax() -> None:
    logits = np.array([[1.0, 2.0, 4.0]])
    np.testing.assert_array_equal(calibrated(logits, 2.0), softmax(logits / 2))


def test_an_answer_as_sure_as_training_allows_is_all_but_certain() -> None:
    (answer,) = calibrated(np.log([[0.95 + 0.05 / 3, 0.05 / 3, 0.05 / 3]]), 1.0, 0.05)
    assert answer[0] == pytest.approx(1, abs=1e-3)
