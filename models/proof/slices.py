"""Parts of a set that are told apart: short texts, negations, numbers, one source.

A slice is data: a name, and a pattern or a number of words. The words of a language stand in the proof list.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from models.classifier import Probabilities
from models.proof.scores import Labels, opposite_polarity, score

__all__ = ["Slice", "SliceScore", "score_parts"]

Rows = npt.NDArray[np.bool_]

LEAST_ROWS = 20
"""A part with fewer rows is left out: the 95 % interval of its accuracy would span 30 points and more."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Texts that hold `pattern` and have from `least_words` to `most_words` words."""

    name: str
    pattern: str = ""
    least_words: int = 0
    most_words: int = 1_000_000

    def rows(self, texts: Iterable[str]) -> Rows:
        """Return which of `texts` belong, bool [texts]."""
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
    parts: Mapping[str, Rows], probabilities: Probabilities, wanted: Labels, labels: Sequence[str]
) -> dict[str, SliceScore]:
    """Score each part, bool [rows], that has at least `LEAST_ROWS` rows, in the order given."""
    large = {name: part for name, part in parts.items() if part.sum() >= LEAST_ROWS}
    return {name: _part_score(probabilities[part], wanted[part], labels) for name, part in large.items()}


def _part_score(probabilities: Probabilities, wanted: Labels, labels: Sequence[str]) -> SliceScore:
    whole = score(probabilities, wanted, labels)
    right = round(whole.accuracy * whole.rows)
    interval = binomtest(right, whole.rows).proportion_ci(method="wilson")
    return SliceScore(
        rows=whole.rows,
        accuracy=whole.accuracy,
        low=float(interval.low),
        high=float(interval.high),
        macro_f1=whole.macro_f1,
        opposite_polarity=opposite_polarity(probabilities.argmax(axis=1), wanted, labels),
    )
