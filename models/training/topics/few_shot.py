"""A new topic from a few examples, or from a sentence about it, on vectors that the encoder gives anyway.

Both end in one row of weights and a bias on a text's mean vector: a head like any other, yes above a probability of
0.5. Knows no torch.

    examples     8 to 32 texts of the topic against texts of the training files: Fisher's discriminant (1936) with a
                 covariance shrunk towards a sphere (Ledoit and Wolf 2004), for there are more dimensions than examples
    description  likeness to the sentence's own vector, in standard deviations above the training texts' usual

The constants were chosen on 5,000 training rows of `tfns_topic` alone, embedded by the plain all-MiniLM-L6-v2: split
in halves eight times, examples and other texts drawn from one half, F1 taken on the other, each of the 17 topics with
60 rows or more held out in turn. Measured after the choice, once, on 2,000 rows of the validation file (8 draws of the
examples): mean F1 0.47 from 8 examples, 0.53 from 16, 0.58 from 32; 0.23 from the label's name. On the halves it was
0.47, 0.53, 0.58 and 0.24.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from models.training.errors import TrainingError

__all__ = ["FEWEST", "TopicHead", "best_threshold", "from_description", "from_examples", "spread_of_known"]

Vectors = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FEWEST = 8
"""Examples below which a topic cannot be distinguished from the words that they happen to share."""

PREVALENCE = 0.05
"""Share of all news that a topic is taken to have when its threshold is chosen: one topic in twenty. On the halves 0.03
did as well within 0.001 of F1, 0.1 cost 0.01."""

SHRINKAGE = 0.9
"""Mean F1 over 8, 16 and 32 examples on the halves: 0.525 with 0.9 and 0.95, 0.521 with 0.8, 0.520 with 0.99, 0.514
with 0.7, 0.493 with 0.5. Fewer examples want more of it."""

_PRIOR_ROWS = 8
"""2 to 32 were alike: within 0.004 of F1 on the halves."""

_STEEPNESS = 4.0
"""Logits that one standard deviation of all texts' scores is worth."""


@dataclass(frozen=True, slots=True)
class TopicHead:
    """`weights` [width] and `bias`: a text is of the topic where vector · weights + bias is above 0."""

    weights: Vectors
    bias: float

    def logits(self, vectors: Vectors) -> Vectors:
        """Returns the logits of texts, float64 [texts], from their vectors [texts, width]."""
        found: Vectors = vectors @ self.weights + self.bias
        return found


def from_examples(examples: Vectors, others: Vectors) -> TopicHead:
    """Returns the head that tells `examples`, [examples, width], from `others`, [texts, width].

    `others` may hold a few texts of the topic. Raises `TrainingError` for fewer than `FEWEST`
    examples.
    """
    count = len(examples)
    if count < FEWEST:
        raise TrainingError(f"{count} examples are too few for a topic; give {FEWEST} to 32 different ones")
    middle, own = others.mean(axis=0), examples.mean(axis=0)
    whitened = np.linalg.inv(_shrunk_covariance(others - middle))
    direction = whitened @ (own - middle)
    left_out = (own * count - examples) / (count - 1) - middle  # each example against the mean of the others
    fair = np.einsum("ew,ew->e", examples, left_out @ whitened)
    threshold = best_threshold(fair, others @ direction)
    steepness = _STEEPNESS / float((others @ direction).std())
    return TopicHead(direction * steepness, -threshold * steepness)


def best_threshold(positive: Vectors, negative: Vectors, prevalence: float = PREVALENCE) -> float:
    """Returns the score from which on F1 is best, if a share `prevalence` of all texts were positive.

    The few positive scores are taken for normal, their variance drawn towards that of the negative ones as
    `_PRIOR_ROWS` more would: on the halves, 0.025 of F1 more than counting them with 8 examples, 0.015 with 16 or 32.
    """
    variance = (positive.var() * len(positive) + negative.var() * _PRIOR_ROWS) / (len(positive) + _PRIOR_ROWS)
    tried = np.quantile(negative, np.linspace(0.3, 0.9995, 400))
    recall = norm.sf((tried - positive.mean()) / np.sqrt(variance))
    false_alarms = (negative[None, :] >= tried[:, None]).mean(axis=1)
    hits = prevalence * recall
    f1 = 2 * hits / (hits + (1 - prevalence) * false_alarms + prevalence)
    return float(tried[int(f1.argmax())])


def from_description(described: Vectors, others: Vectors, spread: float) -> TopicHead:
    """Returns the head for the topic whose description has the vector `described`, [width].

    A text is of the topic where its similarity is `spread` standard deviations above that of `others`.
    """
    direction = _direction(described, others)
    usual = others @ direction
    steepness = _STEEPNESS / float(usual.std())
    return TopicHead(direction * steepness, -steepness * float(usual.mean() + spread * usual.std()))


def spread_of_known(described: Sequence[Vectors], members: Sequence[Flags], others: Vectors) -> float:
    """Returns the spread at which topics that are known would have been found best from their names alone.

    `members` say for each of them which of `others` are of it. The mean F1 over them decides: mostly 1.8 to
    2.0 with the topics of `tfns_topic`. A fixed 1.6, which was best for those same topics, gained 0.015 of F1 on the
    halves, but would follow neither other topics nor another encoder.
    """
    tried = np.arange(0.5, 4.01, 0.1)
    each = [_f1_by_spread(one, of_it, others, tried) for one, of_it in zip(described, members, strict=True)]
    return float(tried[int(np.mean(each, axis=0).argmax())])


def _f1_by_spread(described: Vectors, members: Flags, others: Vectors, tried: Vectors) -> Vectors:
    usual = others @ _direction(described, others)
    found = ((usual - usual.mean()) / usual.std())[None, :] >= tried[:, None]
    hits = (found & members).sum(axis=1)
    f1: Vectors = 2 * hits / np.maximum(1, found.sum(axis=1) + members.sum())
    return f1


def _direction(described: Vectors, others: Vectors) -> Vectors:
    """The description's vector, without what all texts share, of length 1."""
    middle = others.mean(axis=0)
    along = described / np.linalg.norm(described) * np.linalg.norm(others, axis=1).mean() - middle
    direction: Vectors = along / np.linalg.norm(along)
    return direction


def _shrunk_covariance(centred: Vectors) -> Vectors:
    covariance = centred.T @ centred / len(centred)
    width = len(covariance)
    shrunk: Vectors = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / width * np.eye(width)
    return shrunk
