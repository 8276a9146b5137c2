"""How right a head's answers are, and how sure: the figures that every report and card is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.classifier import Probabilities

__all__ = [
    "Bin",
    "ClassScore",
    "HeadScore",
    "calibration_error",
    "opposite_polarity",
    "score",
    "side_of",
    "sides_of",
    "sureness_threshold",
]

Labels = npt.NDArray[np.int64]

BINS = 15
"""Bins of the calibration error, as in its paper."""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Precision, recall and F1 of one label, and how many rows carry it."""

    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of one range of sureness: how many, how sure on average, and which share was right."""

    rows: int
    sure: float
    right: float


@dataclass(frozen=True, slots=True)
class HeadScore:
    """The scores of one head over a set of rows."""

    rows: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    labels: dict[str, ClassScore]
    confusion: list[list[int]]
    """Rows of the right label (first index) that were given a label (second index)."""
    reliability: list[Bin]
    opposite_polarity: float | None = None
    """Share of the rows that were given a label of the other side; None where the labels have no two sides."""


def score(
    probabilities: Probabilities, wanted: Labels, labels: Sequence[str], values: Mapping[str, float] | None = None
) -> HeadScore:
    """Compares `probabilities`, [rows, labels], with the right label of each row, int64 [rows].

    `values` are the labels' places from -1 to 1, for a head with a direction.

    Raises `ValueError` without rows: a share of nothing is no figure. Labels that no row carries and no
    answer gave do not enter macro-F1.
    """
    if not len(wanted):
        raise ValueError("no rows to score")
    given = probabilities.argmax(axis=1)
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (wanted, given), 1)
    classes = {name: _class_score(counts, number) for number, name in enumerate(labels)}
    met = [one.f1 for number, one in enumerate(classes.values()) if counts[number].any() or counts[:, number].any()]
    return HeadScore(
        rows=len(wanted),
        accuracy=float((given == wanted).mean()),
        macro_f1=float(np.mean(met)),
        calibration_error=calibration_error(probabilities, wanted),
        labels=classes,
        confusion=counts.tolist(),
        reliability=reliability(probabilities, wanted),
        opposite_polarity=opposite_polarity(given, wanted, sides_of(labels, values)),
    )


def sides_of(labels: Sequence[str], values: Mapping[str, float] | None) -> Labels:
    """Returns the side of each label (`side_of`); without `values` there are no sides."""
    return np.array([side_of(label, values or {}) for label in labels], np.int64)


def side_of(label: str, values: Mapping[str, float]) -> int:
    """Returns which side of 0 a label is on: -1, 1, or 0 for neither and for one without a value."""
    value = values.get(label, 0.0)
    return (value > 0) - (value < 0)


def opposite_polarity(given: Labels, wanted: Labels, sides: Labels) -> float | None:
    """Returns the share of rows given a label of the other side: these errors mislead a reader most."""
    if not {-1, 1} <= set(sides.tolist()):
        return None
    return float((sides[given] * sides[wanted] < 0).mean())


def calibration_error(probabilities: Probabilities, wanted: Labels, bins: int = BINS) -> float:
    """Returns the expected calibration error (Guo et al. 2017, arXiv 1706.04599).

    The mean distance between how sure the answers are and how often they are right, in bins of sureness.
    """
    filled = reliability(probabilities, wanted, bins)
    return sum(one.rows * abs(one.sure - one.right) for one in filled) / len(wanted)


def reliability(probabilities: Probabilities, wanted: Labels, bins: int = BINS) -> list[Bin]:
    """Returns the filled bins of sureness, least sure first."""
    sure = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == wanted
    bin_of = np.minimum((sure * bins).astype(np.int64), bins - 1)
    members = (bin_of == number for number in range(bins))
    return [Bin(int(one.sum()), float(sure[one].mean()), float(right[one].mean())) for one in members if one.any()]


def sureness_threshold(probabilities: Probabilities, wanted: Labels, target: float = 0.95) -> float:
    """Returns the least probability from which answers are right at a share of `target`, to 0.01; 1 if none is.

    Selective classification (Geifman and El-Yaniv 2017, arXiv 1705.08500): below it a caller may say unknown.
    """
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == wanted
    for percent in range(100):
        kept = sure >= percent / 100
        if kept.any() and right[kept].mean() >= target:
            return percent / 100
    return 1.0


def _class_score(counts: npt.NDArray[np.int64], number: int) -> ClassScore:
    hits, given, wanted = int(counts[number, number]), int(counts[:, number].sum()), int(counts[number].sum())
    precision, recall = hits / max(1, given), hits / max(1, wanted)
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return ClassScore(precision, recall, f1, wanted)
