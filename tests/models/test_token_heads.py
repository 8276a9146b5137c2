"""Verdicts on entities and names, on a network whose answers are written down: they hang on the token alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models import ModelError, Name, OnnxClassifier, Span, find_span
from models.artifact import Head
from models.calibration import Scaling
from models.evaluation import LabelledNames, LabelledSet, evaluate
from models.evaluation.names import score_names
from models.runtime import Feeds, Network

POLES = ("negative", "neutral", "positive")
TEXT = "Ironbark sinks as Larkfield Foods climbs"
IRONBARK, LARKFIELD = find_span(TEXT, "Ironbark"), find_span(TEXT, "Larkfield Foods")


class WrittenNetwork(Network):
    """Answers each token by a table: of the entity head, and of the tags O, B, I."""

    def __init__(self, verdicts: dict[int, int], tags: dict[int, int]) -> None:
        self.verdicts, self.tags = verdicts, tags
        self.calls = 0

    def run(self, names: Sequence[str], feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        self.calls += 1
        ids = feeds["input_ids"]
        one_hot = 8 * np.eye(3, dtype=np.float32)
        answers = {
            "sentiment": np.tile(one_hot[1], (len(ids), 1)),
            "entity": one_hot[np.vectorize(lambda token: self.verdicts.get(token, 1))(ids)],
            "names": one_hot[np.vectorize(lambda token: self.tags.get(token, 0))(ids)],
        }
        return [answers[name] for name in names]


@pytest.fixture
def model(classifier: OnnxClassifier) -> OnnxClassifier:
    tokenizer: Any = classifier._tokenizer
    heads = {
        "sentiment": Head(POLES),
        "entity": Head(POLES, Scaling(2.0), "entity"),
        "names": Head(("O", "B", "I"), kind="names"),
    }
    first = {name: tokenizer.encode(name, add_special_tokens=False).ids for name in ("ironbark", "larkfield", "foods")}
    network = WrittenNetwork(
        verdicts=dict.fromkeys(first["ironbark"], 0) | dict.fromkeys([*first["larkfield"], *first["foods"]], 2),
        tags={first["ironbark"][0]: 1, first["larkfield"][0]: 1, first["foods"][0]: 2},
    )
    return OnnxClassifier(replace(classifier.artifact, heads=heads), network, tokenizer, 256)


def test_two_entities_of_a_text_get_verdicts_of_their_own(model: OnnxClassifier) -> None:
    answers = model.classify([TEXT], entities=[[IRONBARK, LARKFIELD]])
    assert answers["entity"].argmax(axis=1).tolist() == [0, 2]
    np.testing.assert_allclose(answers["entity"].sum(axis=1), 1, atol=1e-6)
    assert answers["sentiment"].shape == (1, 3)


def test_rows_stand_in_the_order_of_texts_and_entities(model: OnnxClassifier) -> None:
    texts = [TEXT, "Nothing of note", TEXT, "Larkfield Foods climbs"]
    entities = [[LARKFIELD], [], [IRONBARK, LARKFIELD], [find_span(texts[3], "Larkfield Foods")]]
    assert model.classify(texts, entities=entities)["entity"].argmax(axis=1).tolist() == [2, 0, 2, 2]


def test_the_head_s_temperature_divides_its_logits(model: OnnxClassifier) -> None:
    sure = model.classify([TEXT], entities=[[IRONBARK]])["entity"][0, 0]
    assert sure == pytest.approx(np.exp(4) / (np.exp(4) + 2), abs=1e-5)


def test_an_entity_that_stands_nowhere_is_judged_by_the_whole_text(model: OnnxClassifier) -> None:
    whole = model.classify(["Ironbark"], entities=[[Span(0, 0)]])["entity"][0]
    cut = model.classify(["Ironbark"], entities=[[Span(500, 508)]])["entity"][0]
    np.testing.assert_array_equal(whole, cut)
    assert 0 < whole[0] < model.classify(["Ironbark"], entities=[[Span(0, 8)]])["entity"][0, 0]


@pytest.mark.parametrize("entities", [[], [[]], [[], [], []]])
def test_lists_of_entities_must_be_as_many_as_texts(model: OnnxClassifier, entities: list[list[Span]]) -> None:
    with pytest.raises(ValueError, match="2 texts but"):
        model.classify([TEXT, TEXT], entities=entities)


def test_no_entities_give_no_rows_and_without_the_argument_no_answer(model: OnnxClassifier) -> None:
    assert model.classify([TEXT], entities=[[]])["entity"].shape == (0, 3)
    assert model.classify([], entities=[])["entity"].shape == (0, 3)
    assert list(model.classify([TEXT])) == ["sentiment"]
    assert list(model.labels) == ["sentiment"]
    assert model.entity_labels == {"entity": POLES}


@pytest.fixture
def plain(model: OnnxClassifier) -> OnnxClassifier:
    """The model without its heads for tokens, as artifacts of the first format are."""
    heads = {"sentiment": Head(POLES)}
    return OnnxClassifier(
        replace(model.artifact, heads=heads), model._open_network(), model._tokenizer, model._token_budget
    )


def test_an_artifact_without_the_head_takes_entities_and_leaves_them_be(plain: OnnxClassifier) -> None:
    assert list(plain.classify([TEXT], entities=[[IRONBARK]])) == ["sentiment"]
    assert not plain.entity_labels


def test_names_are_found_where_they_stand(model: OnnxClassifier) -> None:
    (found, none, again) = model.find_names([TEXT, "Nothing of note", TEXT])
    assert [name.span for name in found] == [IRONBARK, LARKFIELD]
    assert [name.text for name in found] == ["Ironbark", "Larkfield Foods"]
    assert all(name.probability > 0.99 for name in found)
    assert (none, again) == ([], found)


def test_an_inside_without_a_beginning_begins_a_name(model: OnnxClassifier) -> None:
    ((name,),) = model.find_names(["Foods climb"])
    assert isinstance(name, Name)
    assert name.text == "Foods"


def test_two_beginnings_in_a_row_are_two_names(model: OnnxClassifier) -> None:
    (found,) = model.find_names(["Ironbark Larkfield Foods Foods"])
    assert [name.text for name in found] == ["Ironbark", "Larkfield Foods Foods"]


def test_a_model_that_finds_no_names_says_so(plain: OnnxClassifier) -> None:
    assert not plain.artifact.of_kind("names")
    with pytest.raises(ModelError, match="finds no names; export a model that was trained to"):
        plain.find_names([TEXT])


def test_the_shipped_model_judges_companies_and_finds_them(classifier: OnnxClassifier) -> None:
    text = "Ironbark gains 5%, Larkfield Foods falls 3%"
    (names,) = classifier.find_names([text])
    assert [name.text for name in names] == ["Ironbark", "Larkfield Foods"]
    verdicts = classifier.classify([text], [[name.span for name in names]])["entity"].argmax(axis=1)
    labels = classifier.entity_labels["entity"]
    assert [labels[verdict] for verdict in verdicts] == ["positive", "negative"]


def test_all_heads_are_measured(model: OnnxClassifier) -> None:
    rows = LabelledSet("two", "entity", [TEXT, TEXT], ["negative", "neutral"], entities=[IRONBARK, LARKFIELD])
    names = LabelledNames("two", [TEXT], [[IRONBARK, Span(LARKFIELD.start, LARKFIELD.end - 6)]])
    found = evaluate(model, [rows], names=[names])
    assert found.sets[0].score.accuracy == 0.5
    assert found.sets[0].errors[0].text == f"[Larkfield Foods] {TEXT}"
    assert (found.names[0].precision, found.names[0].recall, found.names[0].f1) == (0.5, 0.5, 0.5)


def test_a_set_without_names_is_refused(model: OnnxClassifier) -> None:
    with pytest.raises(ValueError, match="holds no names"):
        score_names(model, LabelledNames("none", [TEXT], [[]]))
