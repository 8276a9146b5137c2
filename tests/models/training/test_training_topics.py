"""A topic from a few examples or a sentence, on vectors where the truth is known."""

import numpy as np
import numpy.typing as npt
import pytest

from models.training.errors import TrainingError
from models.training.topics import best_threshold, from_description, from_examples, spread_of_known

WIDTH, TOPICS = 24, 6
Vectors = npt.NDArray[np.float64]


def clouds(rows: int, seed: int) -> tuple[Vectors, npt.NDArray[np.int64], Vectors]:
    """Texts of six topics around six middles, all shifted by what texts share."""
    middles = 1.5 * np.random.default_rng(1).normal(size=(TOPICS, WIDTH)) + 2
    chance = np.random.default_rng(seed)
    topics = chance.integers(0, TOPICS, rows)
    return middles[topics] + chance.normal(size=(rows, WIDTH)), topics, middles


def f1(found: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_]) -> float:
    return float(2 * (found & wanted).sum() / (found.sum() + wanted.sum()))


@pytest.mark.parametrize("examples", [8, 32])
def test_a_few_examples_find_their_topic(examples: int) -> None:
    vectors, topics, _ = clouds(1_500, seed=2)
    head = from_examples(vectors[topics == 3][:examples], vectors[topics != 3])
    fresh, truth, _ = clouds(1_500, seed=3)
    assert f1(head.logits(fresh) > 0, truth == 3) > 0.9


def test_fewer_than_eight_examples_are_refused() -> None:
    vectors, _, _ = clouds(50, seed=2)
    with pytest.raises(TrainingError, match="7 examples are too few"):
        from_examples(vectors[:7], vectors[7:])


def test_a_description_finds_its_topic_at_the_distance_learned_from_others() -> None:
    vectors, topics, middles = clouds(1_500, seed=2)
    known = [one for one in range(TOPICS) if one != 3]
    spread = spread_of_known([middles[one] for one in known], [topics == one for one in known], vectors)
    fresh, truth, _ = clouds(1_500, seed=3)
    assert f1(from_description(middles[3], vectors, spread).logits(fresh) > 0, truth == 3) > 0.8


def test_the_threshold_weighs_false_alarms_by_how_rare_a_topic_is() -> None:
    positive, negative = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 0.5, 1.5, 1.6])
    assert best_threshold(positive, negative, prevalence=0.9) == pytest.approx(1)
    assert best_threshold(positive, negative, prevalence=0.01) == pytest.approx(2)
