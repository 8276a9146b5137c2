"""The loop on real texts: 500 corrections of one kind of error are let through, the same ones flipped are not.

The model in service is the shipped one with a fault: it calls what is uncertain bad news. What is retrained is a last
layer over its answers, which takes a second instead of an hour; the review, the set and the gate are the real ones.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models import OnnxClassifier, Places, Probabilities, shipped
from models.calibration import Scaling, calibrated, softmax
from models.evaluation import LabelledSet, load_behaviour_list
from models.evaluation.fitting import fitted_scaling
from models.gate import Limits
from streams.archive.memory import MemoryArchive
from streams.lifecycle.feedback import Feedback, review
from streams.lifecycle.gate import Asked, ask_gate
from streams.lifecycle.training_set import build_training_set
from tests.lifecycle.scored_items import scored

LABELLED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "labelled"
NAMES = {"0": "negative", "1": "positive", "2": "neutral"}  # as tfns writes them
LABELS = ("negative", "neutral", "positive")
VALUES = {"sentiment": {"negative": -1.0, "positive": 1.0}}
FLIPPED = {"positive": "neutral", "neutral": "positive"}
CORRECTIONS = 500
FAULT = 2.0

pytestmark = pytest.mark.slow


class Faulty:
    """The shipped model's sentiment, negative favoured; `weights` [3, 4] is a last layer over the logarithms.

    `scaling` is what its export would have written.
    """

    entity_labels: Mapping[str, tuple[str, ...]] = {}
    name = "model"
    labels: Mapping[str, tuple[str, ...]] = {"sentiment": LABELS}

    def __init__(
        self,
        model: OnnxClassifier,
        read: dict[str, Probabilities],
        version: str,
        weights: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self.version = version
        self._model, self._read = model, read
        self._weights = weights
        self.scaling = Scaling()
        self._order = [model.labels["sentiment"].index(label) for label in LABELS]

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        return {"sentiment": calibrated(self.logits(texts), self.scaling).astype(np.float32)}

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """What the last layer makes of the faulty logits, float64 [texts, 3]."""
        faulty = self.features(texts)
        return faulty if self._weights is None else _with_ones(faulty) @ self._weights.T

    def calibrate(self, dev: Sequence[tuple[str, str]]) -> None:
        texts, labels = zip(*dev, strict=True)
        self.scaling = fitted_scaling(self.logits(texts), np.array([LABELS.index(label) for label in labels]))

    def features(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """The faulty logits, float64 [texts, 3]; a text is read once."""
        new = [text for text in dict.fromkeys(texts) if text not in self._read]
        self._read.update(zip(new, self._model.classify(new)["sentiment"], strict=True))
        rows = np.array([self._read[text] for text in texts], np.float64)
        logits = np.log(rows[:, self._order] + 1e-9)
        logits[:, 0] += FAULT
        return logits

    def close(self) -> None:
        """The model is the test's."""


def _with_ones(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.column_stack([rows, np.ones(len(rows))])


def fitted(
    rows: npt.NDArray[np.float64], labels: Sequence[str], weight: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """A last layer by gradient descent, from one that changes nothing, drawn towards it."""
    inputs, start = _with_ones(rows), np.eye(3, 4)
    wanted = np.eye(3)[[LABELS.index(label) for label in labels]]
    weights = start.copy()
    for _ in range(3_000):
        gradient = ((softmax(inputs @ weights.T) - wanted) * weight[:, None]).T @ inputs / weight.sum()
        weights -= 0.02 * (gradient + 1e-3 * (weights - start))
    return weights


def rows_of(name: str) -> tuple[list[str], list[str]]:
    with (LABELLED / name).open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], NAMES[row["label"]]) for row in csv.DictReader(file)]
    return [text for text, _ in rows], [label for _, label in rows]


@dataclass(frozen=True)
class World:
    """The model in service, the corrections of its mistakes, and rows that it gets right."""

    current: Faulty
    wrong: Sequence[tuple[str, str]]
    right: Sequence[tuple[str, str]]
    dev: Sequence[tuple[str, str]]
    held_out: LabelledSet
    model: OnnxClassifier


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    if not LABELLED.is_dir():
        pytest.skip(f"the labelled data is not at hand ({LABELLED.name} is missing)")
    texts, labels = rows_of("tfns_sentiment_train.csv")
    chosen = random.Random(3).sample(range(len(texts)), 8_000)
    with OnnxClassifier.load(shipped("finance-en-minilm-int8")) as model:
        current = Faulty(model, {}, "1")
        given = current.classify([texts[at] for at in chosen])["sentiment"].argmax(axis=1)
        pairs = [(texts[at], labels[at], LABELS[label]) for at, label in zip(chosen, given, strict=True)]
        wrong = [(text, label) for text, label, said in pairs if label != said and said == "negative"][:CORRECTIONS]
        right = [(text, label) for text, label, said in pairs if label == said][: 2 * CORRECTIONS]
        dev = [(texts[at], labels[at]) for at in sorted(set(range(len(texts))) - set(chosen))]
        held_out = LabelledSet("held out", "sentiment", *rows_of("tfns_sentiment_valid.csv"))
        yield World(current, wrong, right, dev, held_out, model)


async def candidate(world: World, folder: Path, flip: bool) -> tuple[Faulty, LabelledSet]:
    """A model retrained on the corrections, through feedback, review and the data set; and their held-out part."""
    archive = MemoryArchive()
    await archive.write_items([scored(number, text) for number, (text, _) in enumerate(world.wrong)])
    words = [
        Feedback(item=f"id{number}", by="ann", at_ms=1, labels={"sentiment": FLIPPED[label] if flip else label})
        for number, (_, label) in enumerate(world.wrong)
    ]
    built = await build_training_set(review(words), archive, {"sentiment": LABELS}, folder)
    with (folder / "feedback-sentiment.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    assert built.rows["sentiment"] == len(rows) > 0.95 * len(world.wrong), "hardly any text stands there twice"
    cut = len(rows) // 5
    taught, kept = rows[cut:], rows[:cut]
    inputs = world.current.features([text for text, _ in [*taught, *world.right]])
    weight = np.array([2.0] * len(taught) + [1.0] * len(world.right))
    weights = fitted(inputs, [label for _, label in [*taught, *world.right]], weight)
    corrections = LabelledSet("corrections", "sentiment", [text for text, _ in kept], [label for _, label in kept])
    made = Faulty(world.model, world.current._read, "2", weights)
    made.calibrate(world.dev)
    return made, corrections


async def test_honest_corrections_are_let_through_and_flipped_ones_are_not(world: World, tmp_path: Path) -> None:
    assert len(world.wrong) == CORRECTIONS
    behaviour = load_behaviour_list("finance-en")
    verdicts = []
    for flip in (False, True):
        made, corrections = await candidate(world, tmp_path / str(flip), flip)
        asked = Asked([world.held_out], [corrections], behaviour=behaviour, values=VALUES)
        limits = Limits(latency_ratio=1_000)  # a text is read once here: times say nothing
        verdicts.append(ask_gate(world.current, made, asked, limits))
    honest, poisoned = verdicts
    assert honest.passed, honest.reasons
    accuracy = {check.name: check.figures for check in honest.checks}["accuracy of held out"]
    assert accuracy["after"] > accuracy["before"] + 0.03
    assert not poisoned.passed
    failed = {check.name for check in poisoned.checks if not check.passed}
    assert "accuracy of held out" in failed, "rows that nobody corrected tell"
    print(
        {check.name: check.reason for verdict in verdicts for check in verdict.checks if "behaviour" not in check.name}
    )
