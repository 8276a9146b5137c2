"""An evaluation: figures by set, slice and source, calibration, errors to read; plain data all through."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models import ModelError, NullClassifier, OnnxClassifier, Places, Probabilities, Span
from models.artifact import Head
from models.evaluation import BehaviourList, Evaluation, LabelledSet, evaluate, evaluate_artifact, load_behaviour_list

POLES = ("negative", "neutral", "positive")
VALUES = {"sentiment": {"negative": -1.0, "positive": 1.0}}


class Reader:
    """Knows the label that a text names, but calls every text with `wrong` positive, surer each time."""

    entity_labels: Mapping[str, tuple[str, ...]] = {}
    name, version, labels = "reader", "3", {"sentiment": POLES}

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        rows = []
        for number, text in enumerate(texts):
            label = 2 if "wrong" in text else POLES.index(text.split()[0])
            sure = 0.6 + 0.3 * number / len(texts)
            rows.append(np.where(np.arange(3) == label, sure, (1 - sure) / 2))
        return {"sentiment": np.array(rows, np.float32)}

    def close(self) -> None:
        """Nothing to free."""


def texts_of(count: int, wrong: int) -> LabelledSet:
    labels = [POLES[number % 3] for number in range(count)]
    texts = [f"{label} {number}{' wrong' if number < wrong else ''}" for number, label in enumerate(labels)]
    sources = ["wire" if number % 2 else "tweet" for number in range(count)]
    return LabelledSet("hand-made", "sentiment", texts, labels, sources)


def test_the_figures_are_those_of_the_rows() -> None:
    (found,) = evaluate(Reader(), [texts_of(60, wrong=6)], values=VALUES).sets
    assert found.score.accuracy == pytest.approx(56 / 60)
    assert found.score.opposite_polarity == pytest.approx(2 / 60)
    assert {name: one.rows for name, one in found.sources.items()} == {"tweet": 30, "wire": 30}
    assert found.sources["wire"].low < found.sources["wire"].accuracy < found.sources["wire"].high


def test_opposite_errors_stand_first_then_the_surest() -> None:
    (found,) = evaluate(Reader(), [texts_of(60, wrong=6)], values=VALUES).sets
    assert [one.wanted for one in found.errors] == ["negative", "negative", "neutral", "neutral"]
    assert found.errors[0].probability > found.errors[1].probability
    assert found.errors[0].text == "negative 3 wrong"
    assert found.errors[0].source == "wire"


def test_slices_with_too_few_rows_are_left_out() -> None:
    (found,) = evaluate(Reader(), [texts_of(60, wrong=6)], behaviour=_list_without_tests()).sets
    assert found.slices["numbers"].rows == 60
    assert "questions" not in found.slices


def _list_without_tests() -> BehaviourList:
    behaviour = load_behaviour_list("finance-en")
    return BehaviourList(behaviour.name, behaviour.head, {}, {}, [], behaviour.slices)


def test_calibration_is_fitted_on_the_dev_rows() -> None:
    (found,) = evaluate(Reader(), [], dev=[texts_of(300, wrong=0)], heads={"sentiment": Head(POLES)}).calibration
    assert found.fitted.temperature < 1  # always right, and never surer than 0.9
    assert found.error_after < found.error_before
    assert found.threshold == 0


def test_an_unknown_label_is_named() -> None:
    with pytest.raises(ModelError, match=r"labels .* does not: mixed; correct the set's label map"):
        evaluate(Reader(), [LabelledSet("odd", "sentiment", ["mixed"], ["mixed"])])


def test_an_unknown_head_is_named() -> None:
    with pytest.raises(ModelError, match="'topic'; reader has sentiment"):
        evaluate(Reader(), [LabelledSet("odd", "topic", ["a"], ["b"])])


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="1 texts but 2 labels"):
        LabelledSet("odd", "sentiment", ["a"], ["b", "c"])


def test_a_model_that_judges_no_entities_is_told_so() -> None:
    null = NullClassifier({"entity": POLES})
    with pytest.raises(ModelError, match="judges entities, which null does not"):
        evaluate(null, [LabelledSet("odd", "entity", ["a b"], ["neutral"], entities=[Span(0, 1)])])


def test_an_evaluation_survives_json(shipped_folder: Path) -> None:
    texts = LabelledSet(
        "two", "sentiment", ["Ironbark files for bankruptcy", "Ironbark meets"], ["negative", "neutral"]
    )
    found = evaluate_artifact(shipped_folder, [texts], dev=[texts], behaviour=load_behaviour_list("finance-en"))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found
    assert found.of("sentiment").name == "two"
    assert found.precision == "int8"
    with pytest.raises(ModelError, match="no set for the head 'topic': sentiment"):
        found.of("topic")


def test_the_dev_part_tells_of_the_shipped_scaling(classifier: OnnxClassifier) -> None:
    texts = [f"Ironbark {word} {number}" for word in ("warns", "meets", "gains") for number in range(40)]
    given = classifier.classify(texts)["sentiment"].argmax(axis=1)
    own = LabelledSet("own answers", "sentiment", texts, [POLES[number] for number in given])
    heads = classifier.artifact.heads
    (found,) = evaluate(classifier, [], dev=[own], heads=heads).calibration
    assert found.shipped == heads["sentiment"].scaling
    assert found.fitted.smoothing == found.shipped.smoothing
    assert found.error_after < found.error_before  # always right: it should be surer
