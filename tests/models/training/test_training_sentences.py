"""Made sentences: the label follows from the words, names are marked, and a student believes the label."""

import random

import numpy as np
import pytest

from models.evaluation import load_behaviour_list
from models.spans import Span
from models.training.augmentation.sentences import _CUTS, _LESS, SOURCE, sentences
from models.training.data.heads import HeadSpec
from models.training.data.leaks import HeldOut
from models.training.data.soft import SoftLabels, settled

LABELS = ("negative", "neutral", "positive")
HEADS = {
    "sentiment": HeadSpec("text", LABELS),
    "topic": HeadSpec("text", ("earnings", "macro")),
    "entity": HeadSpec("entity", LABELS),
}
NAMES = ["Harrowgate Bancorp", "Tarn Steel", "Quill & Sons"]
LESS = {*_CUTS, *(verb for pair in _LESS for verb in pair)}
MADE = sentences(12_000, HEADS, NAMES, random.Random(7))


def label_of(*words: str) -> set[str]:
    return {LABELS[one.labels["sentiment"]] for one in MADE if f" {' '.join(words)} " in f" {one.text} "}


def test_they_are_all_different_and_as_often_good_as_bad() -> None:
    assert len({one.text for one in MADE}) == len(MADE) == 12_000
    assert sum(one.labels["sentiment"] for one in MADE) == 12_000  # 0 and 2
    assert {one.source for one in MADE} == {SOURCE}


@pytest.mark.parametrize(
    ("words", "label"),
    [
        (("loss", "narrows"), "positive"),
        (("loss", "widens"), "negative"),
        (("profit", "falls"), "negative"),
        (("profit", "rises"), "positive"),
        (("claims", "drop"), "positive"),
        (("smaller", "than", "feared"), "positive"),
        (("larger", "than", "feared"), "negative"),
        (("smaller", "than", "hoped"), "negative"),
        (("avoids",), "positive"),
        (("nears",), "negative"),
        (("as", "bad", "as", "feared"), "positive"),
    ],
)
def test_the_label_follows_from_the_words(words: tuple[str, ...], label: str) -> None:
    assert label_of(*words) == {label}


def test_names_and_the_verdict_on_them_are_marked() -> None:
    named = [one for one in MADE if one.names]
    assert len(named) > 8_000
    for one in named:
        (span,) = one.names or ()
        assert one.text[span.start : span.end] in NAMES
        assert [(verdict.span, verdict.label) for verdict in one.entities["entity"]] == [
            (span, one.labels["sentiment"])
        ]
    assert all(one.names is None and not one.entities for one in MADE if not one.names)


def test_amounts_move_the_way_that_the_verb_says() -> None:
    moved = [one.text for one in MADE if " mln from $" in one.text]
    assert len(moved) > 200
    for text in moved:
        before, _, amounts = text.partition(" to $")
        to, was = (int(part.split(" ")[0]) for part in amounts.split(" from $"))
        assert (to < was) == any(f" {verb} " in f" {before} " for verb in LESS), text


def test_few_are_like_those_that_behaviour_is_tested_by() -> None:
    tested = HeldOut(text for test in load_behaviour_list("finance-en").tests for text in test.texts)
    assert sum(tested.leaks(one.text for one in MADE).any) < 60


def test_heads_with_other_labels_learn_nothing_of_them() -> None:
    (one,) = sentences(1, {"topic": HEADS["topic"]}, NAMES, random.Random(1))
    assert not one.labels
    assert not one.entities


def test_settled_labels_stand_in_the_teachers_stead() -> None:
    example = next(one for one in MADE if one.names and one.labels["sentiment"] == 2)
    (span,) = example.names or ()
    wrong = np.array([0.9, 0.05, 0.05], np.float32)
    soft = SoftLabels(
        {"sentiment": wrong, "topic": wrong[:2]}, {"entity": {span: wrong, Span(90, 91): wrong}}, {0: wrong}
    )
    learnt = settled(example, soft, 0.03)
    np.testing.assert_allclose(learnt.texts["sentiment"], [0.01, 0.01, 0.98], atol=1e-6)
    np.testing.assert_allclose(learnt.entities["entity"][span], [0.01, 0.01, 0.98], atol=1e-6)
    assert learnt.texts["topic"] is soft.texts["topic"]
    assert learnt.entities["entity"][Span(90, 91)] is wrong
    assert learnt.names is soft.names
    assert wrong[0] == np.float32(0.9)
