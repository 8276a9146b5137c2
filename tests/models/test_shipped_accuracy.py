"""The file that ships keeps the scores that its card states, on the processor at hand."""

import json
from pathlib import Path

import pytest

from models import OnnxClassifier
from models.proof import evaluate
from models.training.dataset import shipped_datasets
from models.training.evaluate import held_out_sets

HEADS = ("sentiment", "topic")
FLOORS = {"sentiment": 0.87, "topic": 0.87}
PROCESSOR_SLACK = 0.002
"""Other processors round otherwise in the last digits: a few texts on the fence may fall differently."""


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
def test_accuracy_on_the_validation_file(classifier: OnnxClassifier, labelled: Path, head: str) -> None:
    metrics = json.loads((classifier.artifact.path / "metrics.json").read_text(encoding="utf-8"))
    stated = metrics["valid"]["int8"][head]
    described = [one for one in shipped_datasets() if one.name == f"tfns-{head}"]
    sets, _ = held_out_sets(described, labelled.parent, classifier.artifact)
    found = evaluate(classifier, sets).of(head).score
    assert found.accuracy >= FLOORS[head]
    assert found.accuracy == pytest.approx(stated["accuracy"], abs=PROCESSOR_SLACK)
    assert found.rows == stated["rows"]


def test_int8_lost_next_to_nothing_against_float32(classifier: OnnxClassifier) -> None:
    metrics = json.loads((classifier.artifact.path / "metrics.json").read_text(encoding="utf-8"))
    for head in HEADS:
        lost = metrics["valid"]["fp32"][head]["accuracy"] - metrics["valid"]["int8"][head]["accuracy"]
        assert abs(lost) < 0.005


def test_the_card_speaks_of_the_file_beside_it(classifier: OnnxClassifier) -> None:
    metrics = json.loads((classifier.artifact.path / "metrics.json").read_text(encoding="utf-8"))
    card = (classifier.artifact.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert metrics["version"] == classifier.version
    for head in HEADS:
        assert f"{metrics['valid']['int8'][head]['accuracy']:.4f}" in card
