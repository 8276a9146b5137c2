"""How good a network is on dev: the figures that choose between epochs, plans and teachers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.training.data.example import UNKNOWN

__all__ = ["HeadFigures", "Ints", "choice_score", "figures", "joined"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HeadFigures:
    """One head on one set of rows."""

    rows: int
    accuracy: float
    macro_f1: float


def figures(given: Ints, wanted: Ints, labels: int) -> HeadFigures:
    """Compares label numbers, int64 [rows]; rows whose `wanted` is `UNKNOWN` are left out.

    The macro-F1 is over the labels that occur in `wanted`.
    """
    known = wanted != UNKNOWN
    given, wanted = given[known], wanted[known]
    counts = np.bincount(wanted * labels + given, minlength=labels * labels).reshape(labels, labels)
    hits, of_wanted, of_given = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    each = 2 * hits / np.maximum(1, of_wanted + of_given)
    occurs = of_wanted > 0
    return HeadFigures(
        rows=len(wanted),
        accuracy=float(hits.sum() / max(1, len(wanted))),
        macro_f1=float(each[occurs].mean()) if occurs.any() else 0.0,
    )


def choice_score(heads: Mapping[str, HeadFigures]) -> float:
    """Returns the one figure that choices go by: the mean over heads of the mean of accuracy and macro-F1."""
    return float(np.mean([(one.accuracy + one.macro_f1) / 2 for one in heads.values() if one.rows] or [0.0]))


def joined(parts: Iterable[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Joins pairs of given and wanted labels of batches."""
    pairs: Sequence[tuple[Ints, Ints]] = list(parts)
    empty = np.zeros(0, np.int64)
    return (
        np.concatenate([given for given, _ in pairs] or [empty]),
        np.concatenate([wanted for _, wanted in pairs] or [empty]),
    )
