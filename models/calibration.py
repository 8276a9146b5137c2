"""From logits to probabilities that say how often an answer is right.

    logits ─ divided by a temperature, a bias added ─ softmax ─ label smoothing undone ─> probabilities

The temperature says how sure a network is, the bias which labels it gives too readily (bias-corrected temperature
scaling: Alexandari et al. 2020, arXiv 1901.06852). A network taught with smoothed labels (Szegedy et al. 2016,
arXiv 1512.00567) is never surer than they are: it answers (1 - smoothing) of what it thinks and shares the rest out
among all labels. No temperature takes that back, since it changes doubtful answers too; subtracting the shares does.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_OF_SHARE", "Scaling", "calibrated", "logits_of", "smoothed", "softmax"]

Floats = npt.NDArray[np.float64]

LEAST_OF_SHARE = 0.01
"""Of its share of the smoothing a label keeps this: no answer is impossible, and its logarithm is finite."""

_LEAST = 1e-12
"""Probabilities below this count as this, so that their logarithm is finite."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a head's logits need to become probabilities.

    `smoothing` is the share of a label that training gave to all labels alike, 0 to less than 1; `bias` is added to
    the logits of each label once they are divided by the temperature, and empty where nothing is.
    """

    temperature: float = 1.0
    smoothing: float = 0.0
    bias: tuple[float, ...] = ()

    def __str__(self) -> str:
        parts = [f"temperature {self.temperature:.2f}"]
        parts += [f"bias {min(self.bias):+.2f} to {max(self.bias):+.2f}"] if self.bias else []
        parts += [f"smoothing {self.smoothing:g} undone"] if self.smoothing else []
        return ", ".join(parts)


def softmax(logits: npt.NDArray[Any]) -> Floats:
    """Turns logits, [rows, labels], into probabilities, float64 of the same shape."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def calibrated(logits: npt.NDArray[Any], scaling: Scaling) -> Floats:
    """Turns logits, [rows, labels], into probabilities, float64 of the same shape."""
    scaled = logits / scaling.temperature
    found = softmax(scaled + np.array(scaling.bias) if scaling.bias else scaled)
    if not scaling.smoothing:
        return found
    share = scaling.smoothing / found.shape[1]
    sharper = np.maximum(found - share, LEAST_OF_SHARE * share)
    return np.asarray(sharper / sharper.sum(axis=1, keepdims=True))


def smoothed(probabilities: npt.NDArray[Any], smoothing: float) -> Floats:
    """Undoes what `calibrated` undid: what the network answered, but for labels that it gave less than their share."""
    return np.asarray((1 - smoothing) * probabilities.astype(np.float64) + smoothing / probabilities.shape[1])


def logits_of(probabilities: npt.NDArray[Any], scaling: Scaling) -> Floats:
    """Returns logits that `calibrated` turns into `probabilities`, where those are no less than `smoothed` can tell."""
    scaled = np.log(np.maximum(smoothed(probabilities, scaling.smoothing), _LEAST))
    return np.asarray((scaled - np.array(scaling.bias) if scaling.bias else scaled) * scaling.temperature)
