"""No training row gives away a held-out text."""

from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from models.text import leak_key
from models.training.data.corpus import load_corpus, merge
from models.training.data.dataset import shipped_datasets
from models.training.data.example import Example
from models.training.data.leaks import NEAR, HeldOut, shingles, similarity
from models.training.errors import DatasetError
from streams.lifecycle.training_code import read_datasets

WORDS = ["oil", "gold", "bank", "cuts", "lifts", "view", "rate", "bond", "fund", "sale", "5", "7.5", "q2"]
TITLE = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@given(TITLE, st.lists(TITLE, max_size=5))
def test_the_same_text_leaks_whatever_its_case_and_links(title: str, others: list[str]) -> None:
    held_out = HeldOut([title, *others])
    assert held_out.leaks([f"  {title.upper()} https://a.example/x"]).exact == [True]


@given(st.lists(TITLE, min_size=1, max_size=8), st.lists(TITLE, max_size=8))
def test_what_leaks_nearly_is_near_and_what_is_near_leaks(held: list[str], asked: list[str]) -> None:
    leaks = HeldOut(held).leaks(asked)
    for text, exact, near in zip(asked, leaks.exact, leaks.near, strict=True):
        best = max(similarity(shingles(text), shingles(one)) for one in held)
        assert exact == (leak_key(text) in {leak_key(one) for one in held})
        assert not near or best >= NEAR
        if best >= 0.9 and not exact:
            assert near


@pytest.mark.parametrize(
    ("one", "other", "leaks"),
    [
        ("$ORE - Ore Ltd declares AUD 1.00 dividend", "Ore Ltd declares AUD 1.00 dividend", True),
        ("Ore Ltd shares fall 5% after profit warning", "Ore Ltd shares fall 5%, after profit warning!", True),
        ("$ESA: Alpha Research cuts to Neutral", "$SAB: Beta Bank cuts to Hold", False),
        ("Ore Ltd to buy Acme", "Acme to buy Ore Ltd", False),
        ("", "", False),
    ],
)
def test_a_wires_variants_are_near_and_a_pattern_is_not(one: str, other: str, leaks: bool) -> None:
    assert HeldOut([other]).leaks([one]).any == [leaks or one == other]


def test_rows_that_leak_are_dropped_and_said(tmp_path: Path) -> None:
    (tmp_path / "texts.yaml").write_text(
        "name: texts\nlicence: MIT\nhead: mood\nhead_labels: [bad, good]\nlabel: label\n"
        "label_map: {bad: bad, good: good}\nsplits: {train: train.csv, test: test.csv}\n",
        encoding="utf-8",
    )
    (tmp_path / "train.csv").write_text(
        "text,label\nOre falls https://a.example,bad\nAcme rises,good\n"
        "$ORE - Ore Ltd declares a dividend of one dollar,good\n",
        encoding="utf-8",
    )
    (tmp_path / "test.csv").write_text(
        "text,label\nORE  falls,bad\nOre Ltd declares a dividend of one dollar,good\n", encoding="utf-8"
    )
    corpus = load_corpus(read_datasets([tmp_path / "texts.yaml"]), tmp_path, dev_share=0.0)
    assert [example.text for example in corpus.train] == ["Acme rises"]
    (line,) = corpus.warnings()
    assert line == "LEAK: 2 training rows of texts dropped: 1 are texts of a test file, 1 nearly so"


def test_nothing_to_train_on_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no rows to train on"):
        load_corpus([], tmp_path)


def test_a_text_of_two_sets_teaches_both_heads_and_the_first_label_stays() -> None:
    rows = [Example("Up", {"topic": 2}), Example("Up", {"topic": 3, "mood": 1}), Example("Down", {"mood": 0})]
    assert [(one.text, one.labels) for one in merge(rows)] == [("Up", {"topic": 2, "mood": 1}), ("Down", {"mood": 0})]


@pytest.mark.slow
def test_the_published_files_lose_their_leaks(labelled: Path) -> None:
    corpus = load_corpus(shipped_datasets(), labelled.parent)
    forbidden = {leak_key(example.text) for examples in corpus.tests.values() for example in examples}
    train, dev = ({leak_key(example.text) for example in part} for part in (corpus.train, corpus.dev))
    assert {name: lost.exact for name, lost in corpus.dropped.items()} == {
        "sentfin": 0,
        "tfns-sentiment": 89,
        "tfns-topic": 984,
    }
    assert corpus.dropped["tfns-topic"].near == 302
    assert not (train | dev) & forbidden
    assert not train & dev
    assert 0.04 < len(dev) / len(train) < 0.06
