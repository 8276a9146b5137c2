"""A classifier with its figures around it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from models import Classifier
from models.classifier import Probabilities
from streams.observe.metrics import Metrics

__all__ = ["ObservedClassifier"]


class ObservedClassifier:
    """`models.Classifier` around another: counts its calls' seconds and texts. Thread-safe like the other."""

    def __init__(self, classifier: Classifier, metrics: Metrics) -> None:
        self._classifier = classifier
        self._seconds = metrics.inference_seconds.labels(classifier.name)
        self._texts = metrics.inference_texts.labels(classifier.name)

    @property
    def name(self) -> str:
        return self._classifier.name

    @property
    def version(self) -> str:
        return self._classifier.version

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        return self._classifier.labels

    def classify(self, texts: Sequence[str]) -> Mapping[str, Probabilities]:
        begun = time.perf_counter()
        answer = self._classifier.classify(texts)
        self._seconds.observe(time.perf_counter() - begun)
        self._texts.inc(len(texts))
        return answer

    def close(self) -> None:
        self._classifier.close()
