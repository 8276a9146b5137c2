"""Probabilities stay probabilities, and without a bias the likeliest label stays so, whatever is undone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.calibration import Scaling, calibrated, logits_of, smoothed, softmax

LOGITS = arrays(np.float64, (4, 3), elements=st.floats(-30, 30))


@given(LOGITS, st.floats(0.3, 3), st.floats(0, 0.9))
def test_rows_sum_to_one_and_keep_their_order(logits: np.ndarray, temperature: float, smoothing: float) -> None:
    found = calibrated(logits, Scaling(temperature, smoothing))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found > 0).all()
    ranks = np.take_along_axis(found, np.argsort(logits, axis=1), axis=1)
    assert (np.diff(ranks, axis=1) >= 0).all()


@given(LOGITS, st.floats(0.01, 0.5))
def test_what_was_smoothed_is_had_back(logits: np.ndarray, smoothing: float) -> None:
    thought = softmax(logits / 20)  # no label has next to nothing
    answered = np.log(smoothed(thought, smoothing))
    np.testing.assert_allclose(calibrated(answered, Scaling(1.0, smoothing)), thought, atol=1e-9)


@given(LOGITS, st.floats(1, 3), st.floats(0, 0.5), arrays(np.float64, 3, elements=st.floats(-1, 1)))
def test_probabilities_lead_back_to_their_logits(
    logits: np.ndarray, temperature: float, smoothing: float, bias: np.ndarray
) -> None:
    scaling = Scaling(temperature, smoothing, tuple(bias))
    found = calibrated(logits / 30, Scaling(temperature, 0.0, tuple(bias)))  # no label has next to nothing
    np.testing.assert_allclose(calibrated(logits_of(found, scaling), scaling), found, atol=1e-9)


def test_a_bias_of_log_two_doubles_a_label_s_odds() -> None:
    (answer,) = calibrated(np.array([[0.0, 0.0]]), Scaling(2.0, bias=(0.0, float(np.log(2)))))
    np.testing.assert_allclose(answer, [1 / 3, 2 / 3])


def test_without_smoothing_it_is_the_softmax() -> None:
    logits = np.array([[1.0, 2.0, 4.0]])
    np.testing.assert_array_equal(calibrated(logits, Scaling(2.0)), softmax(logits / 2))


def test_an_answer_as_sure_as_training_allows_is_all_but_certain() -> None:
    (answer,) = calibrated(np.log([[0.95 + 0.05 / 3, 0.05 / 3, 0.05 / 3]]), Scaling(1.0, 0.05))
    assert answer[0] == pytest.approx(1, abs=1e-3)


def test_a_scaling_tells_what_it_does() -> None:
    assert str(Scaling(1.2)) == "temperature 1.20"
    assert str(Scaling(0.5, 0.05, (-0.25, 0.5))) == "temperature 0.50, bias -0.25 to +0.50, smoothing 0.05 undone"
