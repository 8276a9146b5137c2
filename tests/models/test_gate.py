"""The gate lets a better model through, refuses a worse one with its reason, and is not fooled by chance."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from models import Places, Probabilities
from models.evaluation import LabelledSet
from models.evaluation.behaviour import BehaviourKind
from models.gate import GateReport, Limits, better_by_chance, judge, lower_bound
from models.measured import Measured, MeasuredSet, measure, measure_latency

LABELS = ("negative", "neutral", "positive")
VALUES = {"negative": -1.0, "positive": 1.0}


def answers(rng: random.Random, wanted: Sequence[str], right: float) -> list[str]:
    """Right at that rate; wrong ones are the neighbour's label."""
    return [label if rng.random() < right else LABELS[(LABELS.index(label) + 1) % 3] for label in wanted]


def measured(version: str, given: Sequence[str], wanted: Sequence[str], **more: object) -> Measured:
    one = MeasuredSet("set", "sentiment", "held_out", wanted, given, values=VALUES)
    return Measured("m", version, [one], **more)  # type: ignore[arg-type]


def changed(given: Sequence[str], wanted: Sequence[str], won: int, lost: int) -> list[str]:
    """Answers that win and lose so many rows against `given`."""
    rows = list(given)
    wrong = [row for row, label in enumerate(given) if label != wanted[row]][:won]
    right = [row for row, label in enumerate(given) if label == wanted[row]][:lost]
    for row in wrong:
        rows[row] = wanted[row]
    for row in right:
        rows[row] = LABELS[(LABELS.index(wanted[row]) + 1) % 3]
    return rows


WANTED = [LABELS[number % 3] for number in range(2_000)]
PRESENT = answers(random.Random(1), WANTED, 0.85)


def verdict(won: int, lost: int, limits: Limits | None = None) -> GateReport:
    return judge(measured("1", PRESENT, WANTED), measured("2", changed(PRESENT, WANTED, won, lost), WANTED), limits)


def test_a_better_model_passes_with_its_figures() -> None:
    found = verdict(won=80, lost=20)
    assert found.passed
    assert found.reasons == []
    accuracy = next(check for check in found.checks if check.name == "accuracy of set")
    assert accuracy.figures["after"] - accuracy.figures["before"] == pytest.approx(0.03)
    assert (accuracy.figures["won"], accuracy.figures["lost"]) == (80, 20)


def test_a_worse_model_is_refused_with_the_reason() -> None:
    found = verdict(won=5, lost=60)
    assert not found.passed
    assert any("5 rows won and 60 lost of 2,000" in reason for reason in found.reasons)


def test_equal_by_many_changes_is_not_equal_by_none() -> None:
    """The difference of means is the same; what it may hide is not."""
    small, large = (next(check for check in verdict(n, n).checks if "accuracy" in check.name) for n in (3, 150))
    assert small.figures["after"] == small.figures["before"] == large.figures["after"]
    assert small.passed
    assert not large.passed


def test_no_worse_is_not_enough_unless_it_is_allowed() -> None:
    assert verdict(won=3, lost=3).reasons[0].startswith("no set shows that it is better")
    assert verdict(won=3, lost=3, limits=Limits(must_improve=False)).passed


def test_the_bound_holds_as_often_as_it_says() -> None:
    """Over candidates that are truly exactly a margin worse, at most 5 % (and chance) are called non-inferior."""
    rng = np.random.default_rng(5)
    passed = sum(
        lower_bound(2_000, int(won), int(lost), 0.05) >= -0.01
        for won, lost in rng.multinomial(2_000, [0.02, 0.03, 0.95], size=2_000)[:, :2]
    )
    assert passed / 2_000 <= 0.065


def test_the_paired_test_is_exact() -> None:
    assert better_by_chance(5, 0) == pytest.approx(1 / 32)
    assert better_by_chance(0, 0) == 1.0
    assert better_by_chance(3, 3) == pytest.approx(42 / 64)
    assert lower_bound(100, 0, 0, 0.05) == 0.0
    assert lower_bound(100, 0, 10, 0.05) == pytest.approx(-0.1)


def test_a_golden_row_is_not_lost_for_anything() -> None:
    present, better = measured("1", PRESENT, WANTED), measured("2", changed(PRESENT, WANTED, 100, 0), WANTED)
    golden = MeasuredSet("gold", "sentiment", "golden", ["negative"] * 20, ["negative"] * 20)
    lost = replace(golden, given=["neutral"] + ["negative"] * 19)
    found = judge(replace(present, sets=[*present.sets, golden]), replace(better, sets=[*better.sets, lost]))
    assert found.reasons == ["gold: 1 golden rows lost, 0 may be; 0 won"]


def test_behaviour_and_latency_may_not_be_lost() -> None:
    present = measured("1", PRESENT, WANTED, behaviour=[BehaviourKind("negation", "", 20, 20)], seconds_per_text=0.001)
    better = changed(PRESENT, WANTED, 100, 0)
    slower = measured("2", better, WANTED, behaviour=[BehaviourKind("negation", "", 17, 20)], seconds_per_text=0.002)
    found = judge(present, slower)
    assert [check.name for check in found.checks if not check.passed] == ["behaviour in all", "latency"]


def test_a_kind_of_behaviour_is_not_lost_for_others() -> None:
    before = [BehaviourKind("negation", "", 20, 20), BehaviourKind("names", "", 0, 20)]
    after = [BehaviourKind("negation", "", 14, 20), BehaviourKind("names", "", 20, 20)]
    better = changed(PRESENT, WANTED, 100, 0)
    found = judge(measured("1", PRESENT, WANTED, behaviour=before), measured("2", better, WANTED, behaviour=after))
    assert found.reasons == ["behaviour negation: 14 of 20 tests passed after 20"]


def test_corrections_are_asked_for_accuracy_alone() -> None:
    wanted = ["negative"] * 100
    mistakes = MeasuredSet("said", "sentiment", "corrections", wanted, ["neutral"] * 100)
    mended = replace(mistakes, given=["negative"] * 90 + ["positive"] * 10, calibration_error=0.5)
    present, same = measured("1", PRESENT, WANTED), measured("2", PRESENT, WANTED)
    found = judge(replace(present, sets=[*present.sets, mistakes]), replace(same, sets=[*same.sets, mended]))
    assert found.passed
    assert {check.name for check in found.checks if "said" in check.name} == {"accuracy of said"}


def test_a_model_that_calls_bad_news_good_is_refused() -> None:
    rng, wanted = random.Random(2), ["negative", "positive"] * 500
    present = [label if rng.random() < 0.8 else "neutral" for label in wanted]
    flipped = [
        "positive" if label == "neutral" and want == "negative" else want
        for label, want in zip(present, wanted, strict=True)
    ]
    found = judge(measured("1", present, wanted), measured("2", flipped, wanted))
    assert [check.name for check in found.checks if not check.passed] == ["opposites of set"]


def test_opposites_are_the_sides_of_a_head_with_a_direction() -> None:
    """Its labels may have any name; of a head without a direction nothing is the opposite."""
    wanted, flipped = ["low", "high"] * 50, ["high", "high"] * 50
    sided = MeasuredSet("set", "urgency", "held_out", wanted, wanted, values={"low": -1.0, "high": 0.5})
    for values, asked in ((sided.values, True), ({}, False), ({"high": 1.0}, False)):
        present = Measured("m", "1", [replace(sided, values=values)])
        checks = judge(present, replace(present, sets=[replace(sided, values=values, given=flipped)])).checks
        assert [check.figures["after"] for check in checks if check.name == "opposites of set"] == [0.5] * asked


def test_a_head_that_is_in_service_may_not_be_missing() -> None:
    topic = MeasuredSet("topics", "topic", "held_out", WANTED, PRESENT)
    present = measured("1", PRESENT, WANTED)
    better = measured("2", changed(PRESENT, WANTED, 100, 0), WANTED)
    found = judge(replace(present, sets=[*present.sets, topic]), better)
    assert found.reasons == ["it has no head topic, which the present model has"]


def test_other_rows_and_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="different rows"):
        judge(measured("1", PRESENT, WANTED), measured("2", PRESENT[:-1], WANTED[:-1]))
    with pytest.raises(ValueError, match="needs a held-out set"):
        judge(Measured("m", "1", []), Measured("m", "2", []))


class Fixed:
    """Answers negative at that probability, else neutral."""

    entity_labels: Mapping[str, tuple[str, ...]] = {}
    name, version = "fixed", "1"
    labels: Mapping[str, tuple[str, ...]] = {"sentiment": LABELS}

    def __init__(self, negative: float) -> None:
        self.negative = negative

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        row = np.array([self.negative, 1 - self.negative, 0], np.float32)
        return {"sentiment": np.tile(row, (len(texts), 1))}

    def close(self) -> None:
        """Nothing is held."""


def test_measuring_asks_for_the_heads_that_there_are() -> None:
    sets = [LabelledSet("a", "sentiment", ["x"] * 4, ["negative"] * 4), LabelledSet("b", "topic", ["x"], ["Markets"])]
    found = measure(Fixed(0.75), sets)
    assert [(one.name, list(one.given)) for one in found.sets] == [("a", ["negative"] * 4)]
    assert found.sets[0].calibration_error == pytest.approx(0.25)


def test_latency_is_taken_in_turns() -> None:
    assert all(0 < seconds < 0.01 for seconds in measure_latency([Fixed(0.1), Fixed(0.2)], ["x"] * 100))
