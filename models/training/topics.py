"""A new topic from a few examples, or from a sentence about it, on vectors that the encoder gives anyway.

Both end in one row of weights and a bias on a text's mean vector: a head like any other, yes above a probability of
0.5. Knows no torch.

    examples     8 to 32 texts of the topic against texts of the training files: logistic regression with a ridge
    description  cosine with the sentence's own vector, in standard deviations above the training texts' usual
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from models.training.errors import TrainingError

__all__ = ["FEWEST", "TopicHead", "best_threshold", "from_description", "from_examples", "spread_of_known"]

Vectors = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FEWEST = 8
"""Examples below which a topic cannot be told from the words that they happen to share."""

PREVALENCE = 0.05
"""Share of all news that a topic is taken to have when its threshold is chosen: one topic in twenty."""

RIDGE = 1.0
_FOLDS = 5
_STEEPNESS = 4.0
"""Logits that one standard deviation of similarity is worth, in a head made from a description."""


@dataclass(frozen=True, slots=True)
class TopicHead:
    """`weights` [width] and `bias`: a text is of the topic where vector · weights + bias is above 0."""

    weights: Vectors
    bias: float

    def logits(self, vectors: Vectors) -> Vectors:
        """Return the logits of texts, float64 [texts], from their vectors [texts, width]."""
        found: Vectors = vectors @ self.weights + self.bias
        return found


def from_examples(examples: Vectors, others: Vectors, *, ridge: float = RIDGE, seed: int = 7) -> TopicHead:
    """Return the head that tells `examples`, [examples, width], from `others`, [texts, width].

    `others` may hold a few texts of the topic: nobody has looked. Both sides weigh the same; the threshold is then
    chosen on examples left out in turn. Raises `TrainingError` for fewer than `FEWEST` examples.
    """
    if len(examples) < FEWEST:
        raise TrainingError(f"{len(examples)} examples are too few for a topic; give {FEWEST} to 32 different ones")
    scale = float(np.linalg.norm(others, axis=1).mean())
    positive, negative = examples / scale, others / scale
    order = np.random.default_rng(seed)
    folds, other_folds = (order.permutation(len(one)) % _FOLDS for one in (positive, negative))
    left_out: list[tuple[Vectors, Vectors]] = []
    for fold in range(_FOLDS):
        head = _fitted(positive[folds != fold], negative[other_folds != fold], ridge)
        left_out.append((head.logits(positive[folds == fold]), head.logits(negative[other_folds == fold])))
    threshold = best_threshold(
        np.concatenate([one for one, _ in left_out]), np.concatenate([other for _, other in left_out])
    )
    whole = _fitted(positive, negative, ridge)
    return TopicHead(whole.weights / scale, whole.bias - threshold)


def best_threshold(positive: Vectors, negative: Vectors, prevalence: float = PREVALENCE) -> float:
    """Return the logit from which on F1 is best, if a share `prevalence` of all texts were positive."""
    tried = np.unique(positive)
    recall = (positive[None, :] >= tried[:, None]).mean(axis=1)
    false_alarms = (negative[None, :] >= tried[:, None]).mean(axis=1)
    hits = prevalence * recall
    f1 = 2 * hits / (hits + (1 - prevalence) * false_alarms + prevalence)
    return float(tried[int(f1.argmax())]) - 1e-9


def from_description(described: Vectors, others: Vectors, spread: float) -> TopicHead:
    """Return the head for the topic whose description has the vector `described`, [width].

    A text is of the topic where its similarity stands `spread` standard deviations above that of `others`.
    """
    direction = _direction(described, others)
    usual = others @ direction
    steepness = _STEEPNESS / float(usual.std())
    return TopicHead(direction * steepness, -steepness * float(usual.mean() + spread * usual.std()))


def spread_of_known(described: Sequence[Vectors], members: Sequence[Flags], others: Vectors) -> float:
    """Return the spread at which topics that are known would have been found best from their names alone.

    `members` say for each of them which of `others` are of it. The mean F1 over them decides.
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


def _fitted(positive: Vectors, negative: Vectors, ridge: float) -> TopicHead:
    rows = np.concatenate([positive, negative])
    signs = np.repeat([1.0, -1.0], [len(positive), len(negative)])
    shares = np.repeat([0.5 / len(positive), 0.5 / len(negative)], [len(positive), len(negative)])
    strength = ridge / len(positive)

    def loss(point: Vectors) -> tuple[float, Vectors]:
        weights, bias = point[:-1], point[-1]
        margins = signs * (rows @ weights + bias)
        pulls = -signs * shares * expit(-margins)
        value = float((shares * np.logaddexp(0, -margins)).sum() + 0.01 * strength * weights @ weights)
        return value, np.append(rows.T @ pulls + 0.02 * strength * weights, pulls.sum())

    found = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return TopicHead(found[:-1], float(found[-1]))
