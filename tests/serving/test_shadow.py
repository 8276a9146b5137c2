"""A shadow is compared and changes nothing, and it never holds the one in service up."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from models import ArtifactError, Classifier, NullClassifier, OnnxClassifier, Places, Probabilities, shipped
from streams.observe.classifier import ObservedClassifier
from streams.observe.metrics import Metrics, exposition
from streams.serving.control import Control, Shadow
from streams.serving.shadow import QUEUED_CALLS, ShadowScorer, disagreements

TEXTS = [f"Company {number} reports" for number in range(40)]


class Always:
    """Gives every text one label; may be held up."""

    entity_labels: Mapping[str, tuple[str, ...]] = {}
    name = "model"

    def __init__(self, version: str, label: str, gate: threading.Event | None = None) -> None:
        self.version = version
        self.labels: Mapping[str, tuple[str, ...]] = {"sentiment": ("positive", "neutral", "negative")}
        self._label = label
        self._gate = gate

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        if self._gate is not None:
            self._gate.wait()
        row = np.array([label == self._label for label in self.labels["sentiment"]], np.float32)
        return {"sentiment": np.tile(row, (len(texts), 1))}

    def close(self) -> None:
        """Nothing is held."""


def control(version: str | None) -> Control:
    shadow = Shadow(language="en", name="model", version=version or "", at_ms=1, by="ann")
    return Control({}, {"en": shadow} if version else {})


def scorer_of(metrics: Metrics, **models: Classifier) -> ShadowScorer:
    return ShadowScorer(lambda name, version: models[f"v{version}"], metrics.learning)


def said(metrics: Metrics, name: str) -> float:
    lines = exposition(metrics.registry).decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_disagreement_is_counted_and_the_answer_is_the_others() -> None:
    metrics = Metrics(CollectorRegistry())
    scorer = scorer_of(metrics, v2=Always("2", "negative"), v3=Always("3", "neutral"))
    service = scorer.watch({"en": Always("1", "neutral")})["en"]
    before = service.classify(TEXTS)["sentiment"]
    scorer.heard(control("2"))
    assert np.array_equal(service.classify(TEXTS)["sentiment"], before)
    scorer.close()
    assert said(metrics, "moodwire_shadow_texts_total") == 40, "before it began nothing was compared"
    assert said(metrics, "moodwire_shadow_disagreements_total") == 40
    scorer.heard(control("3"))
    scorer.close()
    assert (service.name, service.version) == ("model", "1")


def test_labels_in_another_order_are_the_same_labels() -> None:
    one = {"sentiment": np.array([[1, 0, 0], [0, 1, 0]], np.float32), "topic": np.ones((2, 1), np.float32)}
    other = {"sentiment": np.array([[0, 0, 1], [1, 0, 0]], np.float32)}
    labels = {"sentiment": ("negative", "neutral", "positive"), "topic": ("Markets",)}
    turned = {"sentiment": ("positive", "neutral", "negative")}
    assert disagreements(labels, one, turned, other) == {"sentiment": 1}


def test_a_slow_shadow_is_passed_over() -> None:
    metrics, gate = Metrics(CollectorRegistry()), threading.Event()
    scorer = scorer_of(metrics, v2=Always("2", "negative", gate))
    service = scorer.watch({"en": Always("1", "neutral")})["en"]
    scorer.heard(control("2"))
    for _ in range(QUEUED_CALLS + 5):
        service.classify(TEXTS[:10])
    gate.set()
    scorer.close()
    compared = said(metrics, "moodwire_shadow_texts_total")
    passed = said(metrics, "moodwire_shadow_passed_over_total")
    assert compared + passed == 10 * (QUEUED_CALLS + 5)
    assert passed >= 40


def test_it_ends_and_one_that_fails_is_said_and_harms_nothing() -> None:
    metrics = Metrics(CollectorRegistry())
    scorer = scorer_of(metrics, v2=Always("2", "negative"))
    service = scorer.watch({"en": Always("1", "neutral")})["en"]
    scorer.heard(control("2"))
    scorer.heard(control(None))
    service.classify(TEXTS)
    scorer.close()
    assert said(metrics, "moodwire_shadow_texts_total") == 0

    def missing(name: str, version: str) -> Classifier:
        raise ArtifactError("there is no model")

    with pytest.raises(ArtifactError):
        ShadowScorer(missing).heard(control("2"))


def test_drift_and_tokens_stand_among_the_metrics() -> None:
    metrics = Metrics(CollectorRegistry())
    with OnnxClassifier.load(shipped("finance-en-minilm-int8"), threads=1) as model:
        observed = ObservedClassifier(model, metrics)
        observed.classify(["Snow ☃ falls"])
        assert said(metrics, "moodwire_unknown_tokens_total") == 1
        assert said(metrics, "moodwire_tokens_total") > 3
    text = exposition(metrics.registry).decode()
    series = 'moodwire_drift_psi{against="usual",head="sentiment",model="finance-en-minilm-int8"}'
    assert f"{series} NaN" in text
    null = ObservedClassifier(NullClassifier({"sentiment": ("negative", "neutral", "positive")}), metrics)
    for number in range(20):
        null.classify([f"{number} {text_number}" for text_number in range(500)])
    told = [line for line in exposition(metrics.registry).decode().splitlines() if 'model="null"' in line]
    usual = next(line for line in told if line.startswith("moodwire_drift_psi") and "usual" in line)
    assert 0 <= float(usual.rsplit(" ", 1)[1]) < 0.01
