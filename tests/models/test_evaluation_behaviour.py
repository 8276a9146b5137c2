"""Tests of behaviour, on a model whose answers are written down."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from models import ModelError, NullClassifier, OnnxClassifier, Places, Probabilities
from models.evaluation import BehaviourList, check_behaviour, load_behaviour_list
from streams.lifecycle.behaviour import read_behaviour
from streams.userfiles import WrongFile
from tests.conftest import ROOT

POLES = ("negative", "neutral", "positive")

LIST = """
name: small
head: sentiment
values: {negative: -1, positive: 1}
slices: {short: {most_words: 3}, numbers: {pattern: "[0-9]"}}
kinds:
  plain:
    about: Lines without a turn.
    tests:
      - {text: "bad", expect: negative}
      - {text: "odd", expect: [neutral, positive]}
  order:
    about: Which is better.
    tests: [{worse: "bad", better: "good"}, {worse: "good", better: "bad"}]
  same:
    about: What must not matter.
    tests:
      - {template: "{} bad", names: [Ore, Tin]}
      - {same: ["bad", "good"]}
      - {same: ["good", "odd"], within: 0.9}
"""

TONES = {"bad": (0.8, 0.1, 0.1), "good": (0.1, 0.1, 0.8), "odd": (0.1, 0.7, 0.2)}


class Written:
    """Answers by the last word of a text."""

    entity_labels: Mapping[str, tuple[str, ...]] = {}
    name, version, labels = "written", "1", {"sentiment": POLES}

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        return {"sentiment": np.array([TONES[text.split()[-1]] for text in texts], np.float32)}

    def close(self) -> None:
        """Nothing to free."""


def load(folder: Path, content: str) -> BehaviourList:
    path = folder / "list.yaml"
    path.write_text(content, encoding="utf-8")
    found = read_behaviour(str(path))
    assert found is not None
    return found


def test_each_kind_counts_what_passed(tmp_path: Path) -> None:
    found = check_behaviour(Written(), load(tmp_path, LIST))
    assert {one.name: (one.passed, one.tests) for one in found} == {"plain": (2, 2), "order": (1, 2), "same": (1, 3)}
    assert found[1].rate == 0.5


def test_a_failure_says_what_was_asked_and_answered(tmp_path: Path) -> None:
    (_, order, same) = check_behaviour(Written(), load(tmp_path, LIST))
    assert order.failures[0].texts == ["good", "bad"]
    assert order.failures[0].answered == "positive +0.70, negative -0.70"
    assert same.failures[1].asked == "one label, tones within 0.90"
    assert same.failures[1].answered == "positive +0.70, neutral +0.10"


def test_slices_stand_in_the_list(tmp_path: Path) -> None:
    short, numbers = load(tmp_path, LIST).slices
    assert short.rows(["one two three", "one two three four"]).tolist() == [True, False]
    assert numbers.rows(["no", "7 up"]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("kinds: {}", ":1: the key 'name' is missing"),
        ("name: [", ":1: not YAML"),
        ("[1, 2]", ":1: take keys such as name, head, kinds"),
        ("name: a\nhead: b\nkinds: {}", ":3: kinds: is empty"),
        (
            "name: a\nhead: b\nkinds:\n  c:\n    about: d\n    tests: [{text: e}]",
            ":6: kinds.c.tests, entry 1: text: needs",
        ),
        ("name: a\nhead: b\nkinds: {c: {about: d, tests: [{worse: e}]}}", "entry 1: worse: needs the key 'better'"),
        (
            "name: a\nhead: b\nkinds: {c: {about: d, tests: [{same: [e], better: f}]}}",
            "better: does not go with 'same'",
        ),
        ("name: a\nhead: b\nkinds: {c: {about: d, tests: [{worse: e, better: f}]}}", "under `values`"),
        ("name: a\nhead: b\nkinds: {c: {about: d, tests: [{wurse: e}]}}", "'wurse'; did you mean 'worse'"),
        ("name: a\nhead: b\nvalues: {x: 2}\nkinds: {c: {about: d, tests: []}}", ":3: values.x: take a number from -1"),
    ],
)
def test_a_list_that_cannot_be_read_names_the_place(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(WrongFile, match=re.escape(said)):
        load(tmp_path, content)


def test_a_list_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ModelError, match="shipped lists: finance-en"):
        read_behaviour("nosuch")
    with pytest.raises(WrongFile, match=r"nosuch\.yaml cannot be read"):
        read_behaviour("nosuch.yaml")
    assert read_behaviour("") is None


def test_the_shipped_list_has_no_mistake() -> None:
    shipped = ROOT / "models" / "evaluation" / "lists" / "finance-en.yaml"
    assert read_behaviour(str(shipped)) == load_behaviour_list("finance-en")


def test_a_model_without_the_labels_is_told_so() -> None:
    null = NullClassifier({"sentiment": ("bad", "good")})
    with pytest.raises(ModelError, match="negative, neutral, positive, which the head 'sentiment'"):
        check_behaviour(null, load_behaviour_list("finance-en"))


def test_the_shipped_list_asks_of_every_kind_something_that_can_fail() -> None:
    behaviour = load_behaviour_list("finance-en")
    assert {test.kind for test in behaviour.tests} == set(behaviour.kinds)
    assert all(test.expect or test.rising or len(set(test.texts)) > 1 for test in behaviour.tests)
    assert all(set(test.expect) < set(POLES) for test in behaviour.tests)
    assert len({test.texts for test in behaviour.tests}) == len(behaviour.tests)


PASSED = {"plain": 17, "negation": 10, "name swap": 12, "number swap": 8, "same meaning": 7}
"""What the shipped model passed when it was made, of the kinds that no other model of this size should lose."""


def test_the_shipped_model_keeps_what_it_can(classifier: OnnxClassifier) -> None:
    found = {one.name: one.passed for one in check_behaviour(classifier, load_behaviour_list("finance-en"))}
    assert {name: found[name] >= least - 1 for name, least in PASSED.items()} == dict.fromkeys(PASSED, True)
