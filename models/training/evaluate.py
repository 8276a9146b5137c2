"""The published validation files, scored: the figures of the model card."""

from pathlib import Path

import numpy as np

from models.classifier import Classifier
from models.proof.scores import HeadScore, calibration_error, fitted_temperature, opposite_polarity, score
from models.training.data import read_tfns

__all__ = ["HeadScore", "calibration_error", "evaluate", "fitted_temperature", "opposite_polarity", "score"]


def evaluate(classifier: Classifier, labelled: Path, head: str) -> HeadScore:
    """Score `classifier` on the published validation file of `head` in the folder `labelled`."""
    rows = read_tfns(labelled, head, "valid")
    wanted = np.array([row.labels[head] for row in rows], np.int64)
    return score(classifier.classify([row.text for row in rows])[head], wanted, classifier.labels[head])
