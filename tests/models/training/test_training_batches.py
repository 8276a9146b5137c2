"""Texts become tokens, tags and batches; nothing is lost on the way."""

import random
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from tokenizers import Tokenizer

from models.spans import Span
from models.training.data.batches import bucketed, collate, encode
from models.training.data.example import UNKNOWN, EntityLabel, Example
from models.training.data.heads import TAGS, HeadSpec
from models.training.data.soft import SoftLabels
from models.training.data.tags import bio_tags, touched
from tests.models.training.small_words import write_tokenizer

MOODS = ("negative", "neutral", "positive")
HEADS = {"mood": HeadSpec("text", MOODS), "entity": HeadSpec("entity", MOODS), "names": HeadSpec("names", TAGS)}
EXAMPLE = Example(
    "Acme rises as Oreon falls",
    {"mood": 1},
    {"entity": (EntityLabel(Span(0, 4), 2), EntityLabel(Span(14, 19), 0))},
    (Span(0, 4), Span(14, 25)),
    {"mood": 0.5},
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder: Path = tmp_path_factory.mktemp("words")
    write_tokenizer(folder)
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@given(st.lists(st.integers(1, 96), max_size=300), st.integers(1, 40), st.integers(0, 5))
def test_every_row_comes_once(lengths: list[int], batch_rows: int, seed: int) -> None:
    for chance in (random.Random(seed), None):
        batches = list(bucketed(lengths, batch_rows, chance))
        assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
        assert all(len(batch) <= batch_rows for batch in batches)


def test_a_batch_holds_rows_of_similar_length_and_epochs_differ() -> None:
    lengths = list(range(1, 101))
    batches = list(bucketed(lengths, 10, random.Random(1)))
    assert max(max(batch) - min(batch) for batch in batches) == 9
    assert batches != list(bucketed(lengths, 10, random.Random(2)))
    assert batches == list(bucketed(lengths, 10, random.Random(1)))


def test_only_a_words_first_piece_has_a_tag() -> None:
    words = [None, 0, 0, 1, 2, 3, None]
    offsets = [(0, 0), (0, 2), (2, 4), (5, 8), (9, 12), (13, 15), (0, 0)]
    tags = bio_tags(words, offsets, [Span(0, 8), Span(9, 12)])
    assert tags == [UNKNOWN, 1, UNKNOWN, 2, 1, 0, UNKNOWN]


def test_an_entity_is_the_tokens_that_touch_it_or_all() -> None:
    offsets = [(0, 0), (0, 4), (5, 9), (0, 0)]
    assert touched(offsets, Span(3, 6)) == [1, 2]
    assert touched(offsets, Span(0, 0)) == [0, 1, 2, 3]
    assert touched(offsets, Span(40, 44)) == [0, 1, 2, 3]


def test_a_batch_knows_what_each_row_says(tokenizer: Tokenizer) -> None:
    batch = collate(encode(tokenizer, [EXAMPLE, Example("Acme")], 24), HEADS, pad=0)
    assert batch.ids.shape == (2, 7)
    assert batch.mask.sum(axis=1).tolist() == [7, 3]
    assert batch.labels["mood"].tolist() == [1, UNKNOWN]
    assert batch.weights["mood"].tolist() == [0.5, 1.0]
    entities = batch.entities["entity"]
    assert entities.rows.tolist() == [0, 0]
    assert entities.labels.tolist() == [2, 0]
    assert [np.flatnonzero(tokens).tolist() for tokens in entities.tokens] == [[1], [4]]
    assert batch.tags[0].tolist() == [UNKNOWN, 1, 0, 0, 1, 2, UNKNOWN]
    assert set(batch.tags[1].tolist()) == {UNKNOWN}
    assert not batch.soft


def test_a_text_is_cut_at_the_limit(tokenizer: Tokenizer) -> None:
    (row,) = encode(tokenizer, [EXAMPLE], 4)
    assert len(row.ids) == 4
    assert row.entities["entity"][1].tokens == [0, 1, 2, 3]


def test_what_teachers_think_lies_where_the_heads_answer(tokenizer: Tokenizer) -> None:
    sure = np.array([0.1, 0.2, 0.7], np.float32)
    soft = SoftLabels({"mood": sure}, {"entity": {Span(14, 19): sure}}, {0: sure, 14: sure})
    batch = collate(encode(tokenizer, [EXAMPLE, Example("Acme")], 24, [soft, None]), HEADS, pad=0)
    assert batch.soft["mood"].tolist() == [sure.tolist(), [0, 0, 0]]
    assert batch.soft["entity"].tolist() == [[0, 0, 0], sure.tolist()]
    assert np.flatnonzero(batch.soft["names"].sum(axis=-1)[0]).tolist() == [1, 4]
