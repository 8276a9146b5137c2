"""Tests of behaviour: what any good model must answer, whatever a set of news happens to hold.

`behaviour_file` says how a list of them is written. The tone of an answer is the mean of the labels' `values`, which
the list gives, by their probabilities: from -1 to 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt
import yaml

from models.classifier import Classifier
from models.errors import ModelError
from models.evaluation.behaviour_file import BehaviourFile, WrittenTest
from models.evaluation.slices import Slice

__all__ = [
    "BehaviourKind",
    "BehaviourList",
    "BehaviourTest",
    "Failure",
    "behaviour_lists",
    "check_behaviour",
    "load_behaviour_list",
]

WITHIN = 0.25
"""How far the tone may move where nothing that matters changed: an eighth of its range."""

_SHIPPED = Path(__file__).parent / "lists"


@dataclass(frozen=True, slots=True)
class BehaviourTest:
    """One test: its texts, and one of the three demands on them."""

    kind: str
    texts: tuple[str, ...]
    expect: tuple[str, ...] = ()
    within: float | None = None
    rising: bool = False


@dataclass(frozen=True, slots=True)
class BehaviourList:
    """A language's tests of behaviour, and the slices by which its sets are cut."""

    name: str
    head: str
    values: Mapping[str, float]
    """The labels' places from -1 to 1, 0 where one is not named."""
    kinds: Mapping[str, str]
    """What each kind is about, in a sentence."""
    tests: Sequence[BehaviourTest]
    slices: Sequence[Slice] = ()

    @classmethod
    def of(cls, file: BehaviourFile) -> Self:
        """Returns the list of a file without mistakes."""
        return cls(
            name=file.name,
            head=file.head,
            values=file.values,
            kinds={name: kind.about for name, kind in file.kinds.items()},
            tests=[_test(name, test) for name, kind in file.kinds.items() for test in kind.tests],
            slices=[Slice(name, one.pattern, one.least_words, one.most_words) for name, one in file.slices.items()],
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that failed: its texts, what was asked, what was answered."""

    texts: list[str]
    asked: str
    answered: str


@dataclass(frozen=True, slots=True)
class BehaviourKind:
    """One kind's result."""

    name: str
    about: str
    passed: int
    tests: int
    failures: list[Failure] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The share that passed."""
        return self.passed / self.tests


def behaviour_lists() -> list[str]:
    """Returns the names of the lists that come with the package."""
    return sorted(one.stem for one in _SHIPPED.glob("*.yaml"))


def load_behaviour_list(name: str) -> BehaviourList:
    """Returns a list of the package. Raises `ModelError` naming those that there are."""
    if name not in behaviour_lists():
        known = ", ".join(behaviour_lists())
        raise ModelError(
            f"there is no behaviour list {name!r}; shipped lists: {known}; or name a file, such as my.yaml"
        )
    text = (_SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
    return BehaviourList.of(msgspec.convert(yaml.safe_load(text), BehaviourFile))


def check_behaviour(classifier: Classifier, behaviour: BehaviourList) -> list[BehaviourKind]:
    """Runs the tests and counts by kind, in the order of the list.

    Raises `ModelError` when the model lacks the list's head or one of its labels.
    """
    labels = _labels(classifier, behaviour)
    texts = list(dict.fromkeys(text for test in behaviour.tests for text in test.texts))
    answers = dict(zip(texts, classifier.classify(texts)[behaviour.head], strict=True))
    places = np.array([behaviour.values.get(label, 0.0) for label in labels], np.float32)
    results: dict[str, list[Failure | None]] = {name: [] for name in behaviour.kinds}
    for test in behaviour.tests:
        results[test.kind].append(_judge(test, np.array([answers[text] for text in test.texts]), labels, places))
    return [
        BehaviourKind(
            name=name,
            about=behaviour.kinds[name],
            passed=sum(one is None for one in found),
            tests=len(found),
            failures=[one for one in found if one is not None],
        )
        for name, found in results.items()
    ]


def _judge(
    test: BehaviourTest, answers: npt.NDArray[np.float32], labels: Sequence[str], places: npt.NDArray[np.float32]
) -> Failure | None:
    given = [labels[number] for number in answers.argmax(axis=1)]
    tones = answers @ places
    answered = ", ".join(f"{label} {tone:+.2f}" for label, tone in zip(given, tones, strict=True))
    if test.expect:
        good, asked = given[0] in test.expect, " or ".join(test.expect)
    elif test.rising:
        good, asked = bool(tones[1] > tones[0]), "the second better than the first"
    else:
        within = WITHIN if test.within is None else test.within
        good = len(set(given)) == 1 and bool(np.ptp(tones) <= within)
        asked = f"one label, tones within {within:.2f}"
    return None if good else Failure(list(test.texts), asked, answered)


def _labels(classifier: Classifier, behaviour: BehaviourList) -> tuple[str, ...]:
    labels = classifier.labels.get(behaviour.head, ())
    needed = set(behaviour.values) | {label for test in behaviour.tests for label in test.expect}
    missing = sorted(needed - set(labels))
    if missing:
        raise ModelError(
            f"behaviour list {behaviour.name} speaks of {', '.join(missing)}, which the head {behaviour.head!r} "
            f"of {classifier.name} does not know"
        )
    return labels


def _test(kind: str, test: WrittenTest) -> BehaviourTest:
    if test.text is not None:
        expect = (test.expect,) if isinstance(test.expect, str) else test.expect or ()
        return BehaviourTest(kind, (test.text,), expect=expect)
    if test.worse is not None and test.better is not None:
        return BehaviourTest(kind, (test.worse, test.better), rising=True)
    template = test.template or ""
    texts = test.same or tuple(template.replace("{}", name) for name in test.names or ())
    return BehaviourTest(kind, texts, within=WITHIN if test.within is None else test.within)
