"""The gate: both models answer the held-out sets, the golden ones and the tests of behaviour; timed in turns.

GateRequest ─► rows of both ─► ask_gate ─► GateResult, kept beside the version in the registry
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models import Classifier, OnnxClassifier
from models.artifact import Artifact
from models.evaluation import BehaviourList, LabelledSet
from models.gate import GateReport, Limits, judge
from models.measured import Measured, measure, measure_latency
from streams.classifiers import registry_of
from streams.lifecycle.behaviour import behaviour_name, read_behaviour
from streams.lifecycle.decisions import artifact_in_service
from streams.lifecycle.progress import Progress
from streams.lifecycle.training_code import held_out_sets
from streams.settings import Settings
from streams.text.profile import Profile, load_profile

__all__ = ["Asked", "GateRequest", "GateResult", "ask_gate", "compare"]

TIMED_TEXTS = 512


@dataclass(frozen=True, slots=True)
class GateRequest:
    """Compare a version with the one in service for `language`; empty: the version's own.

    Descriptions of data sets are files: `datasets` empty are those of the shipped model, `data` is the folder of their
    rows, `golden` are sets of which no row may be lost. `behaviour` is a YAML of tests or the name of a shipped list;
    empty: the shipped list of the profile and the language, if there is one. `margin` is in points of accuracy.
    """

    name: str
    version: str
    data: Path
    by: str
    datasets: Sequence[Path] = ()
    corrections: Sequence[Path] = ()
    golden: Sequence[Path] = ()
    behaviour: str = ""
    margin: float = 1.0
    allow_equal: bool = False
    language: str = ""

    def limits(self) -> Limits:
        return Limits(accuracy_margin=self.margin / 100, must_improve=not self.allow_equal)


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate found, who asked, when (ms) and about which folder of data."""

    report: GateReport
    by: str
    at_ms: int
    data: Path

    @property
    def passed(self) -> bool:
        return self.report.passed

    def record(self) -> dict[str, Any]:
        """Returns the result as the registry keeps it."""
        asked = {"data": str(self.data)}
        return asdict(self.report) | {"by": self.by, "at_ms": self.at_ms, "asked": asked}


@dataclass(frozen=True, slots=True)
class Asked:
    """What both models are asked; `held_out` holds at least one set. `values` are those of labels, by head."""

    held_out: Sequence[LabelledSet]
    corrections: Sequence[LabelledSet] = ()
    golden: Sequence[LabelledSet] = ()
    behaviour: BehaviourList | None = None
    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def compare(settings: Settings, request: GateRequest, progress: Progress, now_ms: int) -> GateResult:
    """Asks the gate about a version and keeps the result beside it.

    Raises `PromotionRefused` for a language without a model, `ArtifactError`, and `WrongFile` or `DatasetError` naming
    a file.
    """
    registry = registry_of(settings)
    artifact = registry.load(request.name, request.version)
    language = request.language or artifact.language
    current = artifact_in_service(settings, language, progress)
    asked = _asked(request, current, load_profile(settings.profile), language)
    progress.step("asking the gate")
    with (
        OnnxClassifier.load(current.path, threads=settings.threads) as before,
        OnnxClassifier.load(artifact.path, threads=settings.threads) as after,
    ):
        report = ask_gate(before, after, asked, request.limits(), on_step=progress.step)
    result = GateResult(report, request.by, now_ms, request.data)
    registry.keep_verdict(request.name, request.version, result.record())
    return result


def _asked(request: GateRequest, current: Artifact, profile: Profile, language: str) -> Asked:
    """Returns the rows for the heads of the model in service."""
    behaviour = request.behaviour or behaviour_name(profile.name, language)

    def beside(paths: Sequence[Path]) -> list[LabelledSet]:
        return [one for path in paths for one in held_out_sets([path], path.parent, current)]

    return Asked(
        held_out=held_out_sets(request.datasets, request.data, current),
        corrections=beside(request.corrections),
        golden=beside(request.golden),
        behaviour=read_behaviour(behaviour),
        values=profile.label_values,
    )


def ask_gate(
    current: Classifier,
    candidate: Classifier,
    asked: Asked,
    limits: Limits | None = None,
    *,
    on_step: Callable[[str], None] = lambda step: None,  # noqa: ARG005  # progress is optional
) -> GateReport:
    """Returns the gate's report on the candidate. Raises `ModelError` for labels that a head does not know."""
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
            behaviour=asked.behaviour,
            values=asked.values,
            seconds_per_text=seconds_per_text,
        )

    return judge(measured(current, seconds[0]), measured(candidate, seconds[1]), limits)
