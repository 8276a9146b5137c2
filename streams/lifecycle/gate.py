"""Asking the gate: both models answer the held-out sets, the golden ones and the tests of behaviour; timed in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models import Classifier
from models.gate import Limits, Verdict, judge
from models.measured import Measured, measure, measure_latency
from models.proof import LabelledSet, ProofList

__all__ = ["Asked", "ask_gate", "verdict_record"]

TIMED_TEXTS = 512


@dataclass(frozen=True, slots=True)
class Asked:
    """What both models are asked; `held_out` holds at least one set."""

    held_out: Sequence[LabelledSet]
    corrections: Sequence[LabelledSet] = ()
    golden: Sequence[LabelledSet] = ()
    proof: ProofList | None = None


def ask_gate(
    current: Classifier,
    candidate: Classifier,
    asked: Asked,
    limits: Limits | None = None,
    *,
    on_step: Callable[[str], None] = lambda step: None,  # noqa: ARG005  # nobody looks
) -> Verdict:
    """The gate's verdict on the candidate. Raises `ModelError` for labels that a head does not know."""
    on_step("timing both models")
    texts = [text for one in asked.held_out for text in one.texts][:TIMED_TEXTS]
    seconds = measure_latency([current, candidate], texts)

    def measured(classifier: Classifier, seconds_per_text: float) -> Measured:
        on_step(f"scoring with {classifier.name} {classifier.version}")
        return measure(
            classifier,
            asked.held_out,
            corrections=asked.corrections,
            golden=asked.golden,
            proof=asked.proof,
            seconds_per_text=seconds_per_text,
        )

    return judge(measured(current, seconds[0]), measured(candidate, seconds[1]), limits)


def verdict_record(verdict: Verdict, *, by: str, now_ms: int, data: Mapping[str, Path | None]) -> dict[str, Any]:
    """The verdict as it is kept beside the version: with who asked, when, and about which files."""
    return asdict(verdict) | {
        "by": by,
        "at_ms": now_ms,
        "asked": {name: str(path) for name, path in data.items() if path is not None},
    }
