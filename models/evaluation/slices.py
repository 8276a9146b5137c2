"""Parts of a set that are measured apart: short texts, negations, numbers, one source.

A slice is data: a name, and a pattern or a number of words. The words of a language are in the behaviour list.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.classifier import Probabilities
from models.evaluation.scores import Labels, score

__all__ = ["Slice", "SliceScore", "score_parts", "wilson_interval"]

Rows = npt.NDArray[np.bool_]

LEAST_ROWS = 20
"""A part with fewer rows is left out: the 95 % interval of its accuracy would span 30 points and more."""

_NORMAL_975 = 1.959963984540054
"""The normal distribution's quantile at 0.975."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Texts that hold `pattern` and have from `least_words` to `most_words` words."""

    name: str
    pattern: str = ""
    least_words: int = 0
    most_words: int = 1_000_000

    def rows(self, texts: Iterable[str]) -> Rows:
        """Returns which of `texts` belong, bool [texts]."""
        holds = re.compile(self.pattern, re.IGNORECASE)
        return np.array([self._fits(text) and bool(holds.search(text)) for text in texts], bool)

    def _fits(self, text: str) -> bool:
        return self.least_words <= len(text.split()) <= self.most_words


@dataclass(frozen=True, slots=True)
class SliceScore:
    """The scores of one part of a set; `low` and `high` bound the accuracy (Wilson, 95 %)."""

    rows: int
    accuracy: float
    low: float
    high: float
    macro_f1: float
    opposite_polarity: float | None


def score_parts(
    parts: Mapping[str, Rows],
    probabilities: Probabilities,
    wanted: Labels,
    labels: Sequence[str],
    values: Mapping[str, float] | None = None,
) -> dict[str, SliceScore]:
    """Scores each part, bool [rows], that has at least `LEAST_ROWS` rows, in the order given; see `score`."""
    large = {name: part for name, part in parts.items() if part.sum() >= LEAST_ROWS}
    return {name: _part_score(probabilities[part], wanted[part], labels, values) for name, part in large.items()}


def _part_score(
    probabilities: Probabilities, wanted: Labels, labels: Sequence[str], values: Mapping[str, float] | None
) -> SliceScore:
    whole = score(probabilities, wanted, labels, values)
    right = round(whole.accuracy * whole.rows)
    low, high = wilson_interval(right, whole.rows)
    return SliceScore(
        rows=whole.rows,
        accuracy=whole.accuracy,
        low=low,
        high=high,
        macro_f1=whole.macro_f1,
        opposite_polarity=whole.opposite_polarity,
    )


def wilson_interval(right: int, rows: int) -> tuple[float, float]:
    """The interval that holds the share of right answers with 95 % (Wilson 1927, JASA 22:209)."""
    square = _NORMAL_975**2
    middle = (right + square / 2) / (rows + square)
    half = _NORMAL_975 / (rows + square) * math.sqrt(right * (rows - right) / rows + square / 4)
    return max(0.0, middle - half), min(1.0, middle + half)
