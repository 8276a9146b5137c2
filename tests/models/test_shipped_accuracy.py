"""The file that ships keeps the scores that its card states, on the processor at hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from models import OnnxClassifier
from models.evaluation import evaluate
from models.training.data.dataset import shipped_datasets
from models.training.data.labelled import held_out_sets

FLOORS = {"tfns-sentiment, sentiment": 0.895, "tfns-topic, topic": 0.89, "sentfin, entity": 0.89}
PROCESSOR_SLACK = 0.002
"""Other processors round otherwise in the last digits: a few texts on the fence may fall differently."""


@pytest.fixture
def metrics(classifier: OnnxClassifier) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((classifier.artifact.path / "metrics.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOORS)
def test_accuracy_on_the_held_out_rows(
    classifier: OnnxClassifier, metrics: dict[str, Any], labelled: Path, name: str
) -> None:
    (stated,) = [one["score"] for one in metrics["sets"] if one["name"] == name]
    described = [one for one in shipped_datasets() if one.name == name.partition(",")[0]]
    sets, _ = held_out_sets(described, labelled.parent, classifier.artifact)
    (found,) = evaluate(classifier, [one for one in sets if one.name == name]).sets
    assert found.score.accuracy >= FLOORS[name]
    assert found.score.accuracy == pytest.approx(stated["accuracy"], abs=PROCESSOR_SLACK)
    assert found.score.rows == stated["rows"]


def test_int8_lost_next_to_nothing_against_float32(metrics: dict[str, Any]) -> None:
    assert metrics["parity"]
    for one in metrics["parity"]:
        assert one["trained_accuracy"] - one["accuracy"] < 0.005, one["set"]


def test_the_card_speaks_of_the_file_beside_it(classifier: OnnxClassifier, metrics: dict[str, Any]) -> None:
    card = (classifier.artifact.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert metrics["version"] == classifier.version
    for one in metrics["sets"]:
        assert f"{one['score']['accuracy']:.4f}" in card
