"""Whether what a model sees, or says of it, changes: class mix, sureness, tokens. Bounded memory, microseconds a call.

    answers of a call ─► counts that fade ─┬─ recent, half gone after RECENT_ITEMS items ─┐
                                           └─ usual, half gone after USUAL_ITEMS ─────────┴─► PSI, sureness

A model does not say when it has become wrong, but the mix of its answers moves when the news, the feed or the language
changes. The population stability index compares two mixes: sum of (p - q) ln(p / q), the symmetric Kullback-Leibler
divergence (Siddiqi 2006, Credit Risk Scorecards); below 0.1 is called stable, above 0.25 a shift. By chance alone two
mixes of k classes and n and m items differ by (k - 1)(1/n + 1/m): 0.003 for 20 topics here.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.classifier import Probabilities

__all__ = ["ENOUGH", "Drift", "DriftMonitor", "held_out_mix", "psi"]

RECENT_ITEMS = 5_000
USUAL_ITEMS = 100_000

ENOUGH = 2_000
"""Items from which a mix says something."""

_SMOOTHING = 0.5  # of an item in each class, so that an empty one has a logarithm

Counts = npt.NDArray[np.float64]


def psi(expected: Counts, actual: Counts) -> float:
    """Returns the population stability index of two mixes, given as counts, float64 [classes]."""
    p, q = ((counts + _SMOOTHING) / (counts + _SMOOTHING).sum() for counts in (expected, actual))
    return float(((q - p) * np.log(q / p)).sum())


@dataclass(frozen=True, slots=True)
class Drift:
    """One head now. `against_usual` and `against_reference` are None until there is enough to compare."""

    against_usual: float | None
    against_reference: float | None
    recent_sureness: float | None
    usual_sureness: float | None


class _Fading:
    """Counts of classes, of sureness and of items that lose half their weight every so many items."""

    __slots__ = ("counts", "half_items", "items", "seen", "sure")

    def __init__(self, classes: int, half_items: float) -> None:
        self.half_items = half_items
        self.counts: Counts = np.zeros(classes)
        self.sure = 0.0
        self.items = 0.0
        self.seen = 0

    def add(self, counts: Counts, sure: float, items: int) -> None:
        keep = 0.5 ** (items / self.half_items)
        self.counts = self.counts * keep + counts
        self.sure = self.sure * keep + sure
        self.items = self.items * keep + items
        self.seen += items

    @property
    def sureness(self) -> float | None:
        return self.sure / self.items if self.seen >= ENOUGH else None


class DriftMonitor:
    """Follows one model. Thread-safe.

    `labels` are those of each head; `reference` its mix elsewhere, by head and label (on held-out rows, say): counts or
    shares.
    """

    def __init__(
        self, labels: Mapping[str, Sequence[str]], reference: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._recent = {head: _Fading(len(names), RECENT_ITEMS) for head, names in labels.items()}
        self._usual = {head: _Fading(len(names), USUAL_ITEMS) for head, names in labels.items()}
        self._reference = {
            head: np.array([mix.get(name, 0.0) for name in labels[head]], np.float64)
            for head, mix in (reference or {}).items()
            if head in labels
        }

    def add(self, answers: Mapping[str, Probabilities]) -> None:
        """Takes what the model said of some texts: each head's probabilities, float32 [texts, labels]."""
        for head, recent in self._recent.items():
            probabilities = answers.get(head)
            if probabilities is None or not len(probabilities):
                continue
            counts = np.bincount(probabilities.argmax(axis=1), minlength=len(recent.counts)).astype(np.float64)
            sure, items = float(probabilities.max(axis=1).sum()), len(probabilities)
            with self._lock:
                recent.add(counts, sure, items)
                self._usual[head].add(counts, sure, items)

    def of(self, head: str) -> Drift:
        """How the head's recent answers compare with the usual ones and with the reference."""
        with self._lock:
            recent, usual = self._recent[head], self._usual[head]
            now, before = recent.counts.copy(), usual.counts.copy()
        reference = self._reference.get(head)
        enough = recent.seen >= ENOUGH
        return Drift(
            against_usual=psi(before, now) if recent.seen >= RECENT_ITEMS + ENOUGH else None,
            against_reference=psi(reference * now.sum() / max(reference.sum(), 1e-9), now)
            if reference is not None and enough
            else None,
            recent_sureness=recent.sureness,
            usual_sureness=usual.sureness,
        )


def held_out_mix(folder: Path) -> dict[str, dict[str, float]]:
    """Returns how often a model in `folder` gave each label on its held-out rows, by head, as its metrics tell.

    Empty where they do not: a model without them has no reference.
    """
    try:
        metrics = json.loads((folder / "metrics.json").read_bytes())
        scores = {one["head"]: one["score"] for one in reversed(metrics.get("sets", []))}
        for heads in metrics.get("valid", {}).values():
            scores |= {head: score for head, score in heads.items() if head not in scores}
        return {head: _given(score) for head, score in scores.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _given(score: Mapping[str, Any]) -> dict[str, float]:
    """Hits are rows times recall, and answers times precision."""
    return {
        label: one["rows"] * one["recall"] / one["precision"] if one["precision"] else 0.0
        for label, one in score["labels"].items()
    }
