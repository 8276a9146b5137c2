"""A topic from a few examples or a sentence, on vectors where the truth is known."""

import random
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.training.data.corpus import load_corpus
from models.training.data.dataset import shipped_datasets
from models.training.encoder.cache import cached_encoders
from models.training.errors import TrainingError
from models.training.topics.few_shot import best_threshold, from_description, from_examples, spread_of_known

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
    chance = np.random.default_rng(4)
    positive, negative = chance.normal(3, 1, 20), chance.normal(0, 1, 2_000)
    common, rare = (best_threshold(positive, negative, prevalence) for prevalence in (0.5, 0.01))
    assert 0.5 < common < 1.8 < rare < 3.5


@pytest.mark.slow
def test_topics_of_real_news_are_found_by_an_encoder_that_never_learned_them(labelled: Path) -> None:
    """Every topic is held out in turn: 16 rows of its training file, then 1,000 rows of the test file."""
    pytest.importorskip("torch", reason="an encoder needs the extra `train`")
    if not (cached_encoders() / "all-MiniLM-L6-v2").is_dir():
        pytest.skip("no encoder in the cache: deploy/setup/fetch-encoder all-MiniLM-L6-v2")
    (one,) = (one for one in shipped_datasets() if one.name == "tfns-topic")
    corpus = load_corpus([one], labelled.parent)
    chance = random.Random(1)
    train, test = chance.sample(list(corpus.train), 2_500), chance.sample(list(corpus.tests[one.name]), 1_000)
    vectors, fresh = pretrained_vectors([each.text for each in train]), pretrained_vectors([each.text for each in test])
    topics, truth = (np.array([each.labels["topic"] for each in part]) for part in (train, test))
    found = []
    for topic in range(len(one.head_labels)):
        rows = np.flatnonzero(topics == topic)[:16]
        if len(rows) == 16 and (truth == topic).sum() >= 10:
            head = from_examples(vectors[rows], np.delete(vectors, rows, axis=0))
            found.append(f1(head.logits(fresh) > 0, truth == topic))
    print(f"mean F1 of {len(found)} topics from 16 examples each: {np.mean(found):.3f}")
    assert np.mean(found) > 0.45


def pretrained_vectors(texts: list[str]) -> Vectors:
    import torch
    from tokenizers import Tokenizer

    from models.training.encoder.device import Machine
    from models.training.encoder.network import from_pretrained
    from models.training.topics.heads import vectors_of

    folder = cached_encoders() / "all-MiniLM-L6-v2"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    found: Vectors = vectors_of(from_pretrained(folder, {}), tokenizer, texts, Machine(torch.device("cpu")))
    return found
