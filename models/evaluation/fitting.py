"""The scaling that makes a head's probabilities fit its dev rows best.

temperature, and the smoothing to undo   by least negative log likelihood
bias                                     likewise, held small by a prior; kept only where rows that it was not
                                         fitted on are surely likelier with it
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.calibration import Scaling, calibrated

__all__ = ["fitted_scaling"]

Labels = npt.NDArray[np.int64]
Logits = npt.NDArray[np.float64]

TEMPERATURES = (0.5, 3.0)

BIAS_SPREAD = 0.3
"""Standard deviation of the bias before any row was seen: a label is given a third too often, not ten times."""

FOLDS = 10
LEAST_ROWS = 10 * FOLDS
"""Of fewer dev rows none can tell."""
SURE = 2.0
"""Standard errors by which a bias must make rows likelier that it was not fitted on."""

_LEAST = 1e-300
"""Probabilities below this count as this, so that their logarithm is finite."""


def fitted_scaling(logits: Logits, wanted: Labels, smoothings: Sequence[float] = (0.0,)) -> Scaling:
    """Returns the scaling with which the `calibrated` logits, [rows, labels], fit the right labels, [rows], best.

    Temperatures from 0.5 to 3 and biases, both to 0.01; the smoothing to undo is one of `smoothings`.
    """
    plain = _without_bias(logits, wanted, smoothings)
    return _with_bias(logits, wanted, plain) if _bias_helps(logits, wanted, plain.smoothing) else plain


def _without_bias(logits: Logits, wanted: Labels, smoothings: Sequence[float]) -> Scaling:
    def loss(temperature: float, smoothing: float) -> float:
        return float(_losses(logits, wanted, Scaling(temperature, smoothing)).mean())

    from scipy.optimize import minimize_scalar  # takes 0.2 s to load; only an evaluation and an export need it

    options = {"xatol": 0.001}
    found = [
        (minimize_scalar(loss, bounds=TEMPERATURES, args=(one,), method="bounded", options=options), one)
        for one in smoothings
    ]
    best, smoothing = min(found, key=lambda one: one[0].fun)
    return Scaling(round(float(best.x), 2), smoothing)


def _with_bias(logits: Logits, wanted: Labels, start: Scaling) -> Scaling:
    """The likeliest temperature and bias given the rows and the prior; the smoothing stays."""
    from scipy.optimize import minimize

    def loss(point: npt.NDArray[np.float64]) -> float:
        prior = (point[1:] ** 2).sum() / (2 * BIAS_SPREAD**2)
        return float(_losses(logits, wanted, _scaling_at(point, start.smoothing)).mean() + prior / len(wanted))

    begin = np.concatenate([[np.log(start.temperature)], np.zeros(logits.shape[1])])
    bounds = [tuple(np.log(TEMPERATURES)), *[(None, None)] * logits.shape[1]]
    found = _scaling_at(minimize(loss, begin, method="L-BFGS-B", bounds=bounds).x, start.smoothing)
    return Scaling(round(found.temperature, 2), found.smoothing, tuple(round(one, 2) for one in found.bias))


def _scaling_at(point: npt.NDArray[np.float64], smoothing: float) -> Scaling:
    return Scaling(float(np.exp(point[0])), smoothing, tuple(map(float, point[1:])))


def _bias_helps(logits: Logits, wanted: Labels, smoothing: float) -> bool:
    """Whether rows of each tenth are likelier with a bias fitted on the other nine; the same answer every time."""
    if len(wanted) < LEAST_ROWS:
        return False
    fold = np.arange(len(wanted)) % FOLDS
    gains = np.zeros(len(wanted))
    for out in (fold == number for number in range(FOLDS)):
        plain = _without_bias(logits[~out], wanted[~out], [smoothing])
        biased = _with_bias(logits[~out], wanted[~out], plain)
        gains[out] = _losses(logits[out], wanted[out], plain) - _losses(logits[out], wanted[out], biased)
    return bool(gains.mean() > SURE * gains.std() / np.sqrt(len(gains)))


def _losses(logits: Logits, wanted: Labels, scaling: Scaling) -> npt.NDArray[np.float64]:
    """Negative log likelihood of each row."""
    found = calibrated(logits, scaling)
    return np.asarray(-np.log(np.maximum(found[np.arange(len(wanted)), wanted], _LEAST)))
