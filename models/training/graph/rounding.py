"""Rounding a matrix for the inputs that it gets: what one number loses, those after it make good.

The nearest whole number is best for each weight alone, not for the product: errors of channels that go together add
up. Rows are rounded one after the other, and each one's error is spread over the rows still to come, by how its channel
goes with theirs (Frantar et al. 2022, arXiv 2210.17323).
"""

import numpy as np
import numpy.typing as npt

__all__ = ["compensated", "scales_of"]

_DAMPING = 0.01
"""Added to every channel's own sum, as a share of the mean: few texts leave channels that never differ."""

_TINY = 1e-8
"""The least scale: numbers that are all 0 must not divide by zero."""


def scales_of(matrix: npt.NDArray[np.float32], *, axis: int, limit: int) -> npt.NDArray[np.float32]:
    """Returns the scales, `axis` kept and of length 1, with which numbers in -limit … limit reach all of `matrix`."""
    scales: npt.NDArray[np.float32] = np.maximum(np.abs(matrix).max(axis=axis, keepdims=True), _TINY) / limit
    return scales


def compensated(
    matrix: npt.NDArray[np.float32], gram: npt.NDArray[np.float64], limit: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Returns whole numbers in -limit … limit, [in, out], and scales, [1, out]; their product is near `matrix`.

    `gram` is the sum of the products of any two channels of the inputs, [in, in].
    """
    scales = scales_of(matrix, axis=0, limit=limit)
    damped = gram + np.eye(len(gram)) * max(_DAMPING * float(np.diag(gram).mean()), _TINY)
    spread = np.linalg.cholesky(np.linalg.inv(damped)).T  # upper: what a row's error does to the rows after it
    left = matrix.astype(np.float64) / scales
    numbers = np.empty(matrix.shape, np.int8)
    for row in range(len(left)):
        numbers[row] = np.clip(np.rint(left[row]), -limit, limit)
        error = (left[row] - numbers[row]) / spread[row, row]
        left[row + 1 :] -= np.outer(spread[row, row + 1 :], error)
    return numbers, scales.astype(np.float32)
