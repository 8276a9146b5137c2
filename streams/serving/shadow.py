"""A version in the shadow: it scores what the one in service scores, and only the differences are counted.

    classify(texts) ─► the one in service ─► answers, at once
                          └─ a copy of the call, if there is room ─► thread ─► the shadow ─► compared ─► figures

The shadow takes processor time and nothing else: its thread has a short queue, and calls that find it full are not
compared but counted as passed over.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Protocol

from models import Classifier, ClassifierAround, ModelError, Places, Probabilities
from streams.logs import get_logger
from streams.serving.control import Control
from streams.serving.model_cache import OpenModel

__all__ = ["ShadowFigures", "ShadowScorer", "disagreements"]

log = get_logger(__name__)

QUEUED_CALLS = 16

_Call = tuple[str, Sequence[str], Mapping[str, Probabilities], Mapping[str, tuple[str, ...]]]


class ShadowFigures(Protocol):
    """Takes what was compared; called in the shadow's thread."""

    def shadow_compared(self, model: str, version: str, texts: int, disagreed: Mapping[str, int]) -> None:
        """`disagreed` counts by head the texts that got another label."""

    def shadow_passed_over(self, texts: int) -> None:
        """The shadow was behind: these texts were not compared."""


class NoFigures:
    """Nobody counts."""

    def shadow_compared(self, model: str, version: str, texts: int, disagreed: Mapping[str, int]) -> None: ...

    def shadow_passed_over(self, texts: int) -> None: ...


def disagreements(
    labels: Mapping[str, Sequence[str]],
    answers: Mapping[str, Probabilities],
    other_labels: Mapping[str, Sequence[str]],
    other: Mapping[str, Probabilities],
) -> dict[str, int]:
    """By head that both have, how many texts got another label; the order of labels may differ."""
    counts = {}
    for head in answers.keys() & other.keys():
        one = [labels[head][number] for number in answers[head].argmax(axis=1)]
        two = [other_labels[head][number] for number in other[head].argmax(axis=1)]
        counts[head] = sum(a != b for a, b in zip(one, two, strict=True))
    return counts


class ShadowScorer:
    """The shadows of a worker by language; a listener of the follower of `control`. To be closed."""

    def __init__(self, open_model: OpenModel, figures: ShadowFigures | None = None) -> None:
        self._open = open_model
        self._figures = figures or NoFigures()
        self._shadows: dict[str, Classifier] = {}
        self._calls: queue.Queue[_Call | None] = queue.Queue(QUEUED_CALLS)
        self._thread: threading.Thread | None = None

    def heard(self, control: Control) -> None:
        """Begin and end shadows as `control` says. Raises `ModelError` for one that cannot be loaded."""
        wanted = {language: (shadow.name, shadow.version) for language, shadow in control.shadows.items()}
        for language in [known for known in self._shadows if known not in wanted]:
            del self._shadows[language]
        for language, model in wanted.items():
            shadow = self._shadows.get(language)
            if shadow is None or (shadow.name, shadow.version) != model:
                self._shadows[language] = self._open(*model)
                self._start()

    def watch(self, loaded: Mapping[str, Classifier]) -> dict[str, Classifier]:
        """Returns the classifiers by language; what they answer is compared with the shadows."""
        return {language: _ShadowingClassifier(language, one, self) for language, one in loaded.items()}

    def submit(self, call: _Call) -> None:
        """A call was answered; returns at once."""
        if call[0] not in self._shadows:
            return
        try:
            self._calls.put_nowait(call)
        except queue.Full:
            self._figures.shadow_passed_over(len(call[1]))

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                self._compare(call)
            except (ModelError, RuntimeError, ValueError, KeyError) as error:
                log.warning("Shadow could not score texts", texts=len(call[1]), error=error)

    def _compare(self, call: _Call) -> None:
        language, texts, answers, labels = call
        shadow = self._shadows.get(language)
        if shadow is None:
            return
        found = disagreements(labels, answers, shadow.labels, shadow.classify(texts))
        self._figures.shadow_compared(shadow.name, shadow.version, len(texts), found)

    def close(self) -> None:
        """Ends the thread, after what is queued."""
        if self._thread is not None:
            self._calls.put(None)
            self._thread.join()
            self._thread = None


class _ShadowingClassifier(ClassifierAround):
    """Hands every call and its answer to the shadow's scorer."""

    def __init__(self, language: str, classifier: Classifier, scorer: ShadowScorer) -> None:
        super().__init__(classifier)
        self._language = language
        self._scorer = scorer

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        answers = super().classify(texts, entities)
        if texts:
            self._scorer.submit((self._language, texts, answers, self.labels))
        return answers
