"""An artifact measured on labelled sets: figures, slices, calibration, behaviour, and the errors to read.

    artifact, sets ─ classify ─┬─ scores, slices ─> SetEvaluation …
    dev sets ──────────────────┼─ fitting ────────> Calibration …
    behaviour list ────────────┴─ behaviour ──────> BehaviourKind …

Runs where a model runs: onnxruntime alone, no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.artifact import Head
from models.calibration import Scaling, calibrated, logits_of
from models.classifier import Classifier, OnnxClassifier, Probabilities
from models.errors import ModelError
from models.evaluation.behaviour import BehaviourKind, BehaviourList, check_behaviour
from models.evaluation.fitting import fitted_scaling
from models.evaluation.labelled import LabelledNames, LabelledSet
from models.evaluation.names import NamesScore, score_names
from models.evaluation.scores import (
    HeadScore,
    Labels,
    calibration_error,
    score,
    sides_of,
    sureness_threshold,
)
from models.evaluation.slices import SliceScore, score_parts

__all__ = ["Calibration", "ErrorToRead", "Evaluation", "SetEvaluation", "evaluate", "evaluate_artifact"]

Values = Mapping[str, Mapping[str, float]]
"""By head the places of its labels, from -1 to 1; heads without a direction have none."""

ERRORS_TO_READ = 40
"""Errors kept of a set, the surest first (those teach most, and a person reads no more); half may be opposite ones."""


@dataclass(frozen=True, slots=True)
class ErrorToRead:
    """A text that was judged wrongly, and how sure the model was."""

    text: str
    wanted: str
    given: str
    probability: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class SetEvaluation:
    """One set's figures."""

    name: str
    head: str
    score: HeadScore
    slices: dict[str, SliceScore]
    sources: dict[str, SliceScore]
    errors: list[ErrorToRead]
    """The surest mistakes; opposite ones first."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the dev rows say about one head: the scaling that fits them, and from where answers can be trusted."""

    head: str
    rows: int
    shipped: Scaling
    fitted: Scaling
    error_before: float
    """Expected calibration error on the dev rows as shipped."""
    error_after: float
    """The same as fitted."""
    threshold: float
    """The least probability from which 95 % of the dev answers are right."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that was measured of one artifact; plain data, so that any JSON library can write and read it."""

    name: str
    version: str
    precision: str
    sets: list[SetEvaluation]
    calibration: list[Calibration] = field(default_factory=list)
    behaviour: list[BehaviourKind] = field(default_factory=list)
    names: list[NamesScore] = field(default_factory=list)

    def of(self, head: str) -> SetEvaluation:
        """Returns the first set of `head`; raises `ModelError` naming the heads that were measured."""
        for one in self.sets:
            if one.head == head:
                return one
        measured = ", ".join(dict.fromkeys(one.head for one in self.sets)) or "none"
        raise ModelError(f"the evaluation of {self.name} {self.version} has no set for the head {head!r}: {measured}")


def evaluate_artifact(
    artifact: Path,
    sets: Sequence[LabelledSet],
    *,
    dev: Sequence[LabelledSet] = (),
    behaviour: BehaviourList | None = None,
    names: Sequence[LabelledNames] = (),
    threads: int = 0,
    smoothings: Sequence[float] | None = None,
    values: Values | None = None,
) -> Evaluation:
    """Measures the artifact in the folder `artifact` on `sets`, its calibration on `dev`, and its `behaviour`.

    `names` are texts whose names it must find; `smoothings` are those of which the dev rows choose one, else that of
    the artifact stays. `values` are those of the labels of each head with a direction.

    Raises `ArtifactError` when the artifact cannot be trusted and `ModelError` when a set's head or a label
    of it is none of the model's.
    """
    with OnnxClassifier.load(artifact, threads=threads) as classifier:
        return evaluate(
            classifier,
            sets,
            dev=dev,
            behaviour=behaviour,
            names=names,
            heads=classifier.artifact.heads,
            precision=classifier.artifact.precision,
            smoothings=smoothings,
            values=values,
        )


def evaluate(
    classifier: Classifier,
    sets: Sequence[LabelledSet],
    *,
    dev: Sequence[LabelledSet] = (),
    behaviour: BehaviourList | None = None,
    names: Sequence[LabelledNames] = (),
    heads: Mapping[str, Head] | None = None,
    precision: str = "",
    smoothings: Sequence[float] | None = None,
    values: Values | None = None,
) -> Evaluation:
    """Measures any classifier; see `evaluate_artifact`. `heads` say how its probabilities came from logits."""
    plain = Head(())
    return Evaluation(
        name=classifier.name,
        version=classifier.version,
        precision=precision,
        sets=[_evaluate_set(classifier, one, behaviour, (values or {}).get(one.head)) for one in sets],
        calibration=[_calibrate(classifier, one, (heads or {}).get(one.head, plain), smoothings) for one in dev],
        behaviour=check_behaviour(classifier, behaviour) if behaviour else [],
        names=[score_names(classifier, one) for one in names],
    )


def _evaluate_set(
    classifier: Classifier, one: LabelledSet, behaviour: BehaviourList | None, values: Mapping[str, float] | None
) -> SetEvaluation:
    labels = one.known(classifier)
    wanted, probabilities = one.numbers(classifier), one.answers(classifier)
    parts = {each.name: each.rows(one.texts) for each in (behaviour.slices if behaviour else ())}
    names = dict.fromkeys(one.sources)
    by_source = {name: np.array([source == name for source in one.sources], bool) for name in names}
    return SetEvaluation(
        name=one.name,
        head=one.head,
        score=score(probabilities, wanted, labels, values),
        slices=score_parts(parts, probabilities, wanted, labels, values),
        sources=score_parts(by_source, probabilities, wanted, labels, values) if len(names) > 1 else {},
        errors=_errors(one, probabilities, wanted, labels, sides_of(labels, values)),
    )


def _errors(
    one: LabelledSet, probabilities: Probabilities, wanted: Labels, labels: Sequence[str], sides: Labels
) -> list[ErrorToRead]:
    given, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(given != wanted)
    surest = sorted((int(row) for row in wrong), key=lambda row: -sure[row])
    opposite = [row for row in surest if sides[given[row]] * sides[wanted[row]] < 0]
    chosen = opposite[: ERRORS_TO_READ // 2]
    chosen += [row for row in surest if row not in chosen][: ERRORS_TO_READ - len(chosen)]
    return [
        ErrorToRead(
            text=one.shown(row),
            wanted=labels[wanted[row]],
            given=labels[given[row]],
            probability=round(float(sure[row]), 4),
            source=one.sources[row] if one.sources else "",
        )
        for row in chosen
    ]


def _calibrate(
    classifier: Classifier, one: LabelledSet, shipped: Head, smoothings: Sequence[float] | None
) -> Calibration:
    wanted, probabilities = one.numbers(classifier), one.answers(classifier)
    logits = logits_of(probabilities, shipped.scaling)
    fitted = fitted_scaling(logits, wanted, smoothings or (shipped.scaling.smoothing,))
    after = calibrated(logits, fitted).astype(np.float32)
    return Calibration(
        head=one.head,
        rows=len(wanted),
        shipped=shipped.scaling,
        fitted=fitted,
        error_before=calibration_error(probabilities, wanted),
        error_after=calibration_error(after, wanted),
        threshold=sureness_threshold(after, wanted),
    )
