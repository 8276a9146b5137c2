"""A classifier with its figures around it: seconds and texts, and whether what it reads or says drifts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from models import Classifier, ClassifierAround, OnnxClassifier, Places, Probabilities
from models.drift import DriftMonitor, held_out_mix
from streams.observe.metrics import Metrics

__all__ = ["ObservedClassifier"]


class ObservedClassifier(ClassifierAround):
    """`models.Classifier` around another: counts its calls' seconds, texts and tokens, and follows the mix of its
    answers. Thread-safe like the other.
    """

    def __init__(self, classifier: Classifier, metrics: Metrics) -> None:
        super().__init__(classifier)
        self._seconds = metrics.inference_seconds.labels(classifier.name)
        self._texts = metrics.inference_texts.labels(classifier.name)
        onnx = classifier if isinstance(classifier, OnnxClassifier) else None
        self._drift = DriftMonitor(classifier.labels, held_out_mix(onnx.artifact.path) if onnx else None)
        metrics.learning.drifts(classifier.name, list(classifier.labels), self._drift)
        if onnx is not None:
            metrics.learning.reads(classifier.name, onnx)

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        begun = time.perf_counter()
        answer = super().classify(texts, entities)
        self._seconds.observe(time.perf_counter() - begun)
        self._texts.inc(len(texts))
        self._drift.add(answer)
        return answer
