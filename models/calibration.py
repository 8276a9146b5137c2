"""From logits to probabilities that say how often an answer is right.

    logits ─ divided by a temperature ─ softmax ─ label smoothing undone ─> probabilities

A network taught with smoothed labels (Szegedy et al. 2016, arXiv 1512.00567) is never surer than they are: it answers
(1 - smoothing) of what it thinks and shares the rest out among all labels. No temperature takes that back, since it
changes doubtful answers too; subtracting the shares does.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_OF_SHARE", "calibrated", "smoothed", "softmax"]

Floats = npt.NDArray[np.float64]

LEAST_OF_SHARE = 0.01
"""Of its share of the smoothing a label keeps this: no answer is impossible, and its logarithm is finite."""


def softmax(logits: npt.NDArray[Any]) -> Floats:
    """Turn logits, [rows, labels], into probabilities, float64 of the same shape."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def calibrated(logits: npt.NDArray[Any], temperature: float, smoothing: float = 0.0) -> Floats:
    """Turn logits, [rows, labels], into probabilities, float64 of the same shape; the likeliest label stays so.

    `smoothing` is the share of a label that training gave to all labels alike, 0 to less than 1.
    """
    found = softmax(logits / temperature)
    if not smoothing:
        return found
    share = smoothing / found.shape[1]
    sharper = np.maximum(found - share, LEAST_OF_SHARE * share)
    return np.asarray(sharper / sharper.sum(axis=1, keepdims=True))


def smoothed(probabilities: npt.NDArray[Any], smoothing: float) -> Floats:
    """Undo what `calibrated` undid: what the network answered, but for labels that it gave less than their share."""
    return np.asarray((1 - smoothing) * probabilities.astype(np.float64) + smoothing / probabilities.shape[1])
