"""How well a classifier does on labelled rows: the figures of the model card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.classifier import Classifier, Probabilities
from models.training.data import read_tfns

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Precision, recall and F1 of one label, and how many rows carry it."""

    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True, slots=True)
class HeadScore:
    """The scores of one head over a file."""

    rows: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    labels: Mapping[str, ClassScore]
    opposite_polarity: float | None = None
    """Share of the rows where negative was called positive or the reverse; None where labels have no poles."""


def evaluate(classifier: Classifier, labelled: Path, head: str) -> HeadScore:
    """Score `classifier` on the published validation file of `head` in the folder `labelled`."""
    rows = read_tfns(labelled, head, "valid")
    wanted = np.array([row.labels[head] for row in rows], np.int64)
    return score(classifier.classify([row.text for row in rows])[head], wanted, classifier.labels[head])


def score(probabilities: Probabilities, wanted: Labels, labels: Sequence[str]) -> HeadScore:
    """Compare `probabilities`, [rows, labels], with the right label of each row, int64 [rows]."""
    given = probabilities.argmax(axis=1)
    classes = {name: _class_score(given == number, wanted == number) for number, name in enumerate(labels)}
    return HeadScore(
        rows=len(wanted),
        accuracy=float((given == wanted).mean()),
        macro_f1=float(np.mean([one.f1 for one in classes.values()])),
        calibration_error=calibration_error(probabilities, wanted),
        labels=classes,
        opposite_polarity=opposite_polarity(given, wanted, labels),
    )


def opposite_polarity(given: Labels, wanted: Labels, labels: Sequence[str]) -> float | None:
    """Return the share of rows given the opposite pole: these errors mislead a reader most."""
    if not {"negative", "positive"} <= set(labels):
        return None
    poles = {labels.index("negative"), labels.index("positive")}
    flipped = (given != wanted) & np.isin(given, list(poles)) & np.isin(wanted, list(poles))
    return float(flipped.mean())


def calibration_error(probabilities: Probabilities, wanted: Labels, bins: int = 15) -> float:
    """Return the expected calibration error (Guo et al. 2017, arXiv 1706.04599).

    The mean distance between how sure the answers are and how often they are right, in bins of sureness.
    """
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == wanted
    bin_of = np.minimum((sure * bins).astype(np.int64), bins - 1)
    gaps = [abs(float((sure - right)[bin_of == number].sum())) for number in range(bins)]
    return sum(gaps) / len(wanted)


def fitted_temperature(logits: npt.NDArray[np.float64], wanted: Labels) -> float:
    """Return what `logits`, [rows, labels], must be divided by so that their probabilities fit best.

    Least negative log likelihood over temperatures from 0.5 to 3, to 0.01.
    """
    tried = np.arange(0.5, 3.0, 0.01)
    return round(float(min(tried, key=lambda one: _negative_log_likelihood(logits / one, wanted))), 2)


def _negative_log_likelihood(logits: npt.NDArray[np.float64], wanted: Labels) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float((log_sums - shifted[np.arange(len(wanted)), wanted]).mean())


def _class_score(given: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_]) -> ClassScore:
    hits = int((given & wanted).sum())
    precision = hits / max(1, int(given.sum()))
    recall = hits / max(1, int(wanted.sum()))
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return ClassScore(precision, recall, f1, int(wanted.sum()))
