"""The figures of a report, on answers small enough to count by hand."""

import numpy as np
import numpy.typing as npt
import pytest

from models.evaluation.scores import (
    calibration_error,
    opposite_polarity,
    score,
    sides_of,
    sureness_threshold,
)

POLES = ("negative", "neutral", "positive")
VALUES = {"negative": -1.0, "positive": 1.0}


def sure_of(answers: list[int], labels: int = 3) -> npt.NDArray[np.float32]:
    return np.eye(labels, dtype=np.float32)[answers]


def test_scores_counted_by_hand() -> None:
    wanted = np.array([0, 0, 1, 1, 2, 2])
    found = score(sure_of([0, 2, 1, 1, 2, 1]), wanted, POLES, VALUES)
    assert found.rows == 6
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.labels["negative"].precision == 1
    assert found.labels["negative"].recall == 0.5
    assert found.labels["neutral"].f1 == pytest.approx(0.8)
    assert found.labels["positive"].f1 == pytest.approx(0.5)
    assert found.macro_f1 == pytest.approx((2 / 3 + 0.8 + 0.5) / 3)
    assert found.opposite_polarity == pytest.approx(1 / 6)


def test_a_label_never_given_nor_wanted_scores_zero() -> None:
    found = score(sure_of([0, 0]), np.array([0, 0]), POLES)
    assert found.labels["positive"].f1 == 0


@pytest.mark.parametrize(("given", "share"), [(2, 1.0), (1, 0.0), (0, 0.0)])
def test_only_the_other_pole_is_opposite(given: int, share: float) -> None:
    assert opposite_polarity(np.array([given]), np.array([0]), sides_of(POLES, VALUES)) == share


def test_the_poles_are_what_the_values_say() -> None:
    assert sides_of(("low", "high", "none"), {"low": -0.2, "high": 1}).tolist() == [-1, 1, 0]
    for values in (None, {}, {"Markets": 1.0}):
        assert opposite_polarity(np.array([0]), np.array([1]), sides_of(("Earnings", "Markets"), values)) is None


def test_answers_as_sure_as_they_are_right_are_calibrated() -> None:
    answers = np.tile(np.array([[0.75, 0.25]], np.float32), (4, 1))
    assert calibration_error(answers, np.array([0, 0, 0, 1])) == pytest.approx(0, abs=1e-6)
    assert calibration_error(answers, np.array([1, 1, 1, 1])) == pytest.approx(0.75)


def test_a_confusion_counts_right_labels_down_and_given_ones_across() -> None:
    found = score(sure_of([0, 2, 2]), np.array([0, 0, 2]), POLES)
    assert found.confusion == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]


def test_a_label_that_no_row_has_and_no_answer_gave_leaves_macro_f1_alone() -> None:
    assert score(sure_of([0, 2]), np.array([0, 2]), POLES).macro_f1 == 1


def test_bins_hold_all_rows_and_their_shares() -> None:
    answers = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]], np.float32)
    found = score(answers, np.array([0, 1, 0]), ("a", "b")).reliability
    assert [one.rows for one in found] == [1, 2]
    assert found[1].right == 0.5
    assert found[1].sure == pytest.approx(0.9)


def test_no_rows_are_no_figure() -> None:
    with pytest.raises(ValueError, match="no rows"):
        score(np.zeros((0, 3), np.float32), np.zeros(0, np.int64), POLES)


def test_the_threshold_keeps_what_is_right_often_enough() -> None:
    sure = np.array([0.55, 0.65, 0.75, 0.95], np.float32)
    answers = np.stack([sure, 1 - sure], axis=1)
    wanted = np.array([1, 1, 0, 0])
    assert sureness_threshold(answers, wanted) == pytest.approx(0.66)
    assert sureness_threshold(answers, np.ones(4, np.int64)) == 1.0
