"""How fast a classifier is on this machine."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.classifier import Classifier

__all__ = ["Speed", "measure_speed"]

ALONE = 50
"""Texts that are timed one at a time: enough for a median and a 95th percentile."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Texts a second in large calls, the best pass of several; and what one text alone takes."""

    texts: int
    texts_per_second: float
    alone_ms: float
    """The median of single calls."""
    alone_slow_ms: float
    """The 95th percentile of them."""


def measure_speed(classifier: Classifier, texts: Sequence[str], passes: int = 3) -> Speed:
    """Time `passes` calls with all of `texts`, then single ones.

    Copies of a text are scored once by some classifiers: give texts that differ. Raises `ValueError` without texts.
    """
    if not texts:
        raise ValueError("no texts to measure with")
    distinct = list(dict.fromkeys(texts))
    whole = min(_seconds(classifier, distinct) for _ in range(passes))
    alone = [1_000 * _seconds(classifier, [text]) for text in distinct[:ALONE]]
    slow = float(np.percentile(alone, 95))
    return Speed(len(distinct), len(distinct) / whole, float(np.median(alone)), slow)


def _seconds(classifier: Classifier, texts: Sequence[str]) -> float:
    start = time.perf_counter()
    classifier.classify(texts)
    return time.perf_counter() - start
