"""What two models answer to the same rows, and how long they take: what the gate judges."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from models.classifier import Classifier
from models.errors import ModelError
from models.evaluation.behaviour import BehaviourKind, BehaviourList, check_behaviour
from models.evaluation.labelled import LabelledSet
from models.evaluation.scores import calibration_error

__all__ = ["Measured", "MeasuredSet", "Role", "measure", "measure_latency"]

Role = Literal["held_out", "corrections", "golden"]
"""Rows that were not chosen, rows that people corrected, rows that must not be lost."""


@dataclass(frozen=True, slots=True)
class MeasuredSet:
    """The right label and the given one of each row.

    `values` are the labels' places from -1 to 1 (0 where one is not named); empty for a head without a direction.
    """

    name: str
    head: str
    role: Role
    wanted: Sequence[str]
    given: Sequence[str]
    calibration_error: float = 0.0
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a model answered, and how long a text takes; 0 where that was not measured."""

    name: str
    version: str
    sets: Sequence[MeasuredSet]
    behaviour: Sequence[BehaviourKind] = ()
    seconds_per_text: float = 0.0


def measure(
    classifier: Classifier,
    held_out: Sequence[LabelledSet],
    *,
    corrections: Sequence[LabelledSet] = (),
    golden: Sequence[LabelledSet] = (),
    behaviour: BehaviourList | None = None,
    values: Mapping[str, Mapping[str, float]] | None = None,
    seconds_per_text: float = 0.0,
) -> Measured:
    """Lets the classifier answer. Sets of a head that it does not have are passed over: `judge` says so.

    `values` are those of the labels by head, for heads with a direction (see `MeasuredSet`).

    Raises `ModelError` when a label of a set is none of the head's.
    """
    roles: list[tuple[Role, LabelledSet]] = [("held_out", one) for one in held_out]
    roles += [("corrections", one) for one in corrections] + [("golden", one) for one in golden]
    sets = []
    for role, one in roles:
        try:
            labels = one.known(classifier)
        except ModelError:
            continue
        answers, wanted = one.answers(classifier), one.numbers(classifier)
        given = [labels[number] for number in answers.argmax(axis=1)]
        error, places = calibration_error(answers, wanted), (values or {}).get(one.head, {})
        sets.append(MeasuredSet(one.name, one.head, role, list(one.labels), given, error, places))
    found = check_behaviour(classifier, behaviour) if behaviour else []
    return Measured(classifier.name, classifier.version, sets, found, seconds_per_text)


def measure_latency(classifiers: Sequence[Classifier], texts: Sequence[str], rounds: int = 5) -> list[float]:
    """Returns each classifier's seconds per text: the least of `rounds`, taken in turns, so that a busy machine is
    busy for all of them.
    """
    least = [float("inf")] * len(classifiers)
    for _ in range(rounds):
        for number, classifier in enumerate(classifiers):
            begun = time.perf_counter()
            classifier.classify(texts)
            least[number] = min(least[number], time.perf_counter() - begun)
    return [seconds / max(1, len(texts)) for seconds in least]
