"""A score depends on the text alone: a replay cut into other runs must archive the same numbers.

The usual dynamic int8 fails this: it takes one scale for a whole batch.
"""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import OnnxClassifier, Probabilities

_NAMES = ["Ironbark", "Larkfield Foods", "Quill & Sons", "Northgate Bank", "Tern Air", "Bluewater Energy Holdings"]
_EVENTS = [
    "cuts its outlook",
    "beats forecasts",
    "names a new chief executive after a long search that began in the spring",
    "faces an inquiry",
    "to buy back shares worth $2bn",
    "up 4%",
    "misses estimates as costs rise, and warns that the second half will be weaker than analysts expect",
    "files for bankruptcy protection",
]
TEXTS = [f"{name} {event}" for name in _NAMES for event in _EVENTS]
TEXTS += [f"{text}; {other}" for text, other in zip(TEXTS, reversed(TEXTS), strict=True)]

HEADS = ("sentiment", "topic")


@pytest.fixture(scope="module")
def alone(classifier: OnnxClassifier) -> dict[str, dict[str, Probabilities]]:
    """Each text's scores when it is classified alone, one row a call."""
    return {text: {head: scores[0] for head, scores in classifier.classify([text]).items()} for text in TEXTS}


def assert_same(classifier: OnnxClassifier, texts: Sequence[str], alone: dict[str, dict[str, Probabilities]]) -> None:
    scores = classifier.classify(texts)
    for head in HEADS:
        expected = np.array([alone[text][head] for text in texts])
        np.testing.assert_array_equal(scores[head].argmax(axis=1), expected.argmax(axis=1))
        np.testing.assert_array_equal(np.round(scores[head], 4), np.round(expected, 4))
        np.testing.assert_allclose(scores[head], expected, rtol=0, atol=1e-6)


def test_one_row_and_many_rows_agree(classifier: OnnxClassifier, alone: dict[str, dict[str, Probabilities]]) -> None:
    assert len(TEXTS) > 64
    assert_same(classifier, TEXTS, alone)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(2, 40))
def test_other_orders_and_neighbours_change_nothing(
    classifier: OnnxClassifier, alone: dict[str, dict[str, Probabilities]], seed: int, size: int
) -> None:
    assert_same(classifier, random.Random(seed).choices(TEXTS, k=size), alone)


@pytest.mark.parametrize(
    ("threads", "token_budget", "workers"),
    [(1, 1024, 1), (2, 200, 1), (3, 4096, 1), (1, 1, 1), (2, 128, 2), (1, 128, 3), (4, 256, 2), (4, 256, 0)],
)
def test_threads_workers_and_batch_sizes_change_nothing(
    classifier: OnnxClassifier,
    alone: dict[str, dict[str, Probabilities]],
    threads: int,
    token_budget: int,
    workers: int,
) -> None:
    path = classifier.artifact.path
    with OnnxClassifier.load(path, threads=threads, token_budget=token_budget, workers=workers) as other:
        assert_same(other, TEXTS, alone)


def test_less_than_no_worker_is_refused(classifier: OnnxClassifier) -> None:
    with pytest.raises(ValueError, match="not -1"):
        OnnxClassifier.load(classifier.artifact.path, workers=-1)


def test_scores_are_the_same_on_every_processor(classifier: OnnxClassifier) -> None:
    """Taken on one machine; other processors multiply 8-bit numbers by other instructions. A new model has new ones."""
    taken = {
        "Shares plunge after the bank halts withdrawals": [0.9945, 0.0012, 0.0043],
        "Quill & Sons beats forecasts": [0.0029, 0.0265, 0.9706],
        "Northgate Bank names a new chief executive": [0.0265, 0.9525, 0.0209],
        "Tern Air files for bankruptcy protection": [0.7235, 0.2638, 0.0127],
    }
    scores = classifier.classify(list(taken))["sentiment"]
    np.testing.assert_allclose(scores, list(taken.values()), rtol=0, atol=1e-4)
