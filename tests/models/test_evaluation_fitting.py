"""What was done to logits is found again from the right labels, and nothing is found where nothing was done."""

import numpy as np
import numpy.typing as npt
import pytest

from models.calibration import Scaling, calibrated, smoothed, softmax
from models.evaluation.fitting import LEAST_ROWS, fitted_scaling
from models.evaluation.scores import calibration_error

Logits = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

TOO_READILY = np.array([0.4, -0.4, 0.0])


def honest(rows: int, spread: float, seed: int = 5) -> tuple[Logits, Labels]:
    """Logits whose softmax says how often each label is right, and labels drawn so."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(size=(rows, 3)) * spread
    return logits, (logits + chance.gumbel(size=logits.shape)).argmax(axis=1)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.8])
def test_a_known_temperature_is_found_again(temperature: float) -> None:
    logits, wanted = honest(20_000, 2)
    found = fitted_scaling(logits * temperature, wanted)
    assert found.temperature == pytest.approx(temperature, abs=0.05)
    assert found.smoothing == 0


def test_a_network_taught_with_smoothed_labels_is_found_out() -> None:
    logits, wanted = honest(20_000, 3)
    answered = np.log(smoothed(softmax(logits), 0.1))
    found = fitted_scaling(answered, wanted, (0.0, 0.1))
    assert found.temperature == pytest.approx(1, abs=0.05)
    assert found.smoothing == 0.1
    plain = Scaling(fitted_scaling(answered, wanted).temperature)
    errors = [
        calibration_error(calibrated(answered, one).astype(np.float32), wanted) for one in (plain, Scaling(1.0, 0.1))
    ]
    assert errors[0] > 0.02 > 0.01 > errors[1]  # no temperature does what the undoing does


def test_labels_given_too_readily_are_found_out() -> None:
    logits, wanted = honest(2_000, 2)
    found = fitted_scaling(logits + TOO_READILY, wanted)
    assert found.bias == pytest.approx((-0.4, 0.4, 0.0), abs=0.15)
    unseen, right = honest(20_000, 2, seed=6)
    accuracies = [(calibrated(unseen + TOO_READILY, one).argmax(axis=1) == right).mean() for one in (Scaling(), found)]
    assert accuracies[1] > accuracies[0] + 0.005


def test_honest_labels_get_no_bias() -> None:
    found = [fitted_scaling(*honest(600, 2, seed=seed)).bias for seed in range(10)]
    assert sum(map(bool, found)) <= 1


def test_a_bias_is_not_told_from_a_few_rows() -> None:
    logits, wanted = honest(LEAST_ROWS - 1, 2)
    assert fitted_scaling(logits + 5 * TOO_READILY, wanted).bias == ()
