"""Tests of behaviour: what any good model must answer, whatever a set of news happens to hold.

After CheckList (Ribeiro et al. 2020, arXiv 2005.04118), three forms, each a mapping in a kind's `tests`:

    {text, expect}        the label must be one of `expect`
    {same, within}        all texts must get one label, and tones that differ by at most `within`
    {template, names}     the same for a sentence in which {} is each of the names
    {worse, better}       the second text's tone must be the higher one

The tone is the mean of the labels' `values`, which the list gives, by their probabilities: from -1 to 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from models.classifier import Classifier
from models.errors import ModelError
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


def load_behaviour_list(path: Path | str) -> BehaviourList:
    """Reads a list from a file (a path, or a name that ends in .yaml or .yml), or one of the package by its name.

    Raises `ModelError` naming the file, the kind and the test that cannot be read.
    """
    is_file = isinstance(path, Path) or path.endswith((".yaml", ".yml"))
    file = Path(path) if is_file else _SHIPPED / f"{path}.yaml"
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(behaviour_lists())
        raise ModelError(f"behaviour list {file} cannot be read ({error.strerror}); shipped lists: {known}") from error
    except yaml.YAMLError as error:
        raise ModelError(f"behaviour list {file} is no YAML: {error}") from error
    try:
        kinds = content["kinds"]
        found = BehaviourList(
            name=str(content["name"]),
            head=str(content["head"]),
            values={str(label): float(value) for label, value in (content.get("values") or {}).items()},
            kinds={name: str(kind["about"]) for name, kind in kinds.items()},
            tests=[test for name, kind in kinds.items() for test in _tests(file, name, kind["tests"])],
            slices=[Slice(name, **one) for name, one in (content.get("slices") or {}).items()],
        )
    except KeyError as error:
        raise ModelError(f"behaviour list {file} lacks {error}") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise ModelError(f"behaviour list {file} is malformed: {error}") from error
    if not found.values and any(not test.expect for test in found.tests):
        raise ModelError(f"behaviour list {file} compares tones; give each label's place from -1 to 1 under `values`")
    return found


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


def _tests(file: Path, kind: str, entries: Sequence[Mapping[str, Any]]) -> Iterator[BehaviourTest]:
    for number, entry in enumerate(entries, start=1):
        try:
            yield _test(kind, entry)
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"behaviour list {file}, {kind}, test {number} cannot be read ({error}): {entry}"
            ) from error


def _test(kind: str, entry: Mapping[str, Any]) -> BehaviourTest:
    if "text" in entry:
        expect = entry["expect"]
        return BehaviourTest(kind, (entry["text"],), expect=(expect,) if isinstance(expect, str) else tuple(expect))
    if "worse" in entry:
        return BehaviourTest(kind, (entry["worse"], entry["better"]), rising=True)
    texts = entry["same"] if "same" in entry else [entry["template"].replace("{}", name) for name in entry["names"]]
    return BehaviourTest(kind, tuple(texts), within=float(entry.get("within", WITHIN)))
