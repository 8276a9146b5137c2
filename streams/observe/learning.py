"""Figures of the models themselves: drift of the one in service, disagreement of the one in the shadow.

Drift is worked out when somebody asks: a scrape costs some hundred microseconds, a run next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from models import OnnxClassifier
from models.drift import Drift, DriftMonitor

__all__ = ["LearningFigures"]


class LearningFigures(Collector):
    """Drift and shadow figures in `registry`; a `streams.serving.shadow.ShadowFigures`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.psi = Gauge(
            "moodwire_drift_psi",
            "Population stability index of the recent answers; absent until there are enough.",
            ["model", "head", "against"],
            registry=registry,
        )
        self.sureness = Gauge(
            "moodwire_drift_sureness",
            "Mean probability of the label given: of recent answers and of usual ones.",
            ["model", "head", "span"],
            registry=registry,
        )
        self.shadow_texts = Counter(
            "moodwire_shadow_texts_total",
            "Texts that a model in the shadow was compared on.",
            ["model", "version"],
            registry=registry,
        )
        self.shadow_disagreements = Counter(
            "moodwire_shadow_disagreements_total",
            "Texts that it gave another label than the model in service.",
            ["model", "version", "head"],
            registry=registry,
        )
        self.shadow_dropped = Counter(
            "moodwire_shadow_passed_over_total",
            "Texts not compared because the shadow was behind.",
            registry=registry,
        )
        self._readers: dict[str, OnnxClassifier] = {}
        registry.register(self)

    def drifts(self, model: str, heads: Sequence[str], monitor: DriftMonitor) -> None:
        """Shows the monitor's figures for `model` from now on."""
        for head in heads:
            ask = partial(monitor.of, head)
            _show(self.psi.labels(model, head, "usual"), ask, "against_usual")
            _show(self.psi.labels(model, head, "held_out"), ask, "against_reference")
            _show(self.sureness.labels(model, head, "recent"), ask, "recent_sureness")
            _show(self.sureness.labels(model, head, "usual"), ask, "usual_sureness")

    def reads(self, model: str, classifier: OnnxClassifier) -> None:
        """Shows what the model's tokenizer reads."""
        self._readers[model] = classifier

    def collect(self) -> Iterable[Metric]:
        """The tokens read, from the classifiers' own counts."""
        tokens = CounterMetricFamily("moodwire_tokens", "Tokens that a model read.", labels=["model"])
        unknown = CounterMetricFamily(
            "moodwire_unknown_tokens", "Of them, those that its tokenizer has no word for.", labels=["model"]
        )
        characters = CounterMetricFamily("moodwire_characters", "Characters that a model read.", labels=["model"])
        for model, classifier in self._readers.items():
            tally = classifier.tally
            tokens.add_metric([model], tally.tokens)
            unknown.add_metric([model], tally.unknown)
            characters.add_metric([model], tally.characters)
        return [tokens, unknown, characters]

    def shadow_compared(self, model: str, version: str, texts: int, disagreed: Mapping[str, int]) -> None:
        self.shadow_texts.labels(model, version).inc(texts)
        for head, count in disagreed.items():
            self.shadow_disagreements.labels(model, version, head).inc(count)

    def shadow_passed_over(self, texts: int) -> None:
        self.shadow_dropped.inc(texts)


def _show(gauge: Gauge, ask: Callable[[], Drift], figure: str) -> None:
    """NaN while there is no figure: no rule fires on it."""

    def value() -> float:
        found: float | None = getattr(ask(), figure)
        return math.nan if found is None else found

    gauge.set_function(value)
