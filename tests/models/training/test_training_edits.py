"""New texts keep what is true of them, and what teachers said survives its file."""

import random
from pathlib import Path

import numpy as np
import pytest

from models.spans import Span
from models.training.augmentation.edits import edited, name_pool, with_other_names, without_ticker, without_words
from models.training.data.example import UNKNOWN, EntityLabel, Example
from models.training.data.leaks import HeldOut
from models.training.data.soft import SoftLabels, mean_of, read_soft, sharpened, with_entities, write_soft
from models.training.errors import TrainingError

PAIR = Example(
    "Ore rises as Acme Bank falls",
    {"mood": 1, "topic": 4},
    {"entity": (EntityLabel(Span(0, 3), 2), EntityLabel(Span(13, 22), 0))},
    (Span(0, 3), Span(13, 22)),
)


def test_places_follow_their_names() -> None:
    new = with_other_names(PAIR, ["Oreon Holdings", "Zed"], random.Random(3), ["mood"])
    for place, verdict in zip(new.names or (), new.entities["entity"], strict=True):
        assert place == verdict.span
        assert new.text[place.start : place.end] in {"Oreon Holdings", "Zed"}
    assert [one.label for one in new.entities["entity"]] == [2, 0]
    assert " rises as " in new.text
    assert new.text.endswith(" falls")
    assert new.labels == {"mood": 1}


def test_new_texts_give_away_no_held_out_one() -> None:
    examples = [PAIR, Example("$ORE - Ore Ltd declares a dividend of one dollar", {"topic": 4})]
    kinds = {"names": 1.0, "ticker": 1.0}
    made = edited(examples, kinds, HeldOut([]), random.Random(1), ["mood"])
    assert "Ore Ltd declares a dividend of one dollar" in {one.text for one in made}
    held_out = HeldOut(["Ore Ltd declares a dividend of one dollar"])
    assert all("dividend" not in one.text for one in edited(examples, kinds, held_out, random.Random(1), ["mood"]))


def test_a_text_without_ticker_or_names_stays() -> None:
    plain = Example("Ore - a buy")
    assert without_ticker(plain) == plain
    assert edited([plain], {"names": 1.0, "ticker": 1.0}, HeldOut([]), random.Random(1), []) == []
    assert name_pool([PAIR, plain, PAIR]) == ["Ore", "Acme Bank"]


WORDY = Example("$ORE - " + " ".join(f"word{n}" for n in range(40)), {"topic": 4}, names=(Span(0, 4),), source="wire")


def test_of_a_text_without_some_words_nothing_is_known() -> None:
    new = without_words(WORDY, random.Random(1))
    words, kept = WORDY.text.split(" "), new.text.split(" ")
    assert new == Example(new.text, source="wire")
    assert kept == [word for word in words if word in kept]  # in their order
    assert 0.02 < 1 - len(kept) / len(words) < 0.4
    assert without_words(Example("Ore - a buy"), random.Random(1)) == Example("Ore - a buy")


def test_leaving_words_out_changes_no_other_new_text() -> None:
    examples = [PAIR, WORDY, Example("Ore - a buy")]
    kinds = {"names": 1.0, "ticker": 1.0}
    before = edited(examples, kinds, HeldOut([]), random.Random(1), ["mood"])
    after = edited(examples, {**kinds, "words": 1.0}, HeldOut([]), random.Random(1), ["mood"])
    assert after[: len(before)] == before
    assert {len(one.text.split(" ")) < 42 for one in after[len(before) :]} == {True}
    assert edited([Example("Ore - a buy")], {"words": 1.0}, HeldOut([]), random.Random(1), []) == []


def soft(*shares: float) -> SoftLabels:
    one = np.array(shares, np.float32)
    return SoftLabels({"mood": one}, {"entity": {Span(0, 3): one}}, {0: one})


def test_what_teachers_say_survives_its_file(tmp_path: Path) -> None:
    said = [soft(0.25, 0.75), SoftLabels({"mood": np.array([1, 0], np.float32)}, {"entity": {}}, {})]
    write_soft(tmp_path / "part.npz", said, "teacher", ["Ore rises", "Zed"])
    first, second = read_soft(tmp_path / "part.npz", ["Ore rises", "Zed"])
    assert first.texts["mood"].tolist() == [0.25, 0.75]
    assert first.entities["entity"][Span(0, 3)].tolist() == [0.25, 0.75]
    assert first.names[0].tolist() == [0.25, 0.75]
    assert second.entities == {"entity": {}}
    with pytest.raises(TrainingError, match="labels other texts"):
        read_soft(tmp_path / "part.npz", ["Ore rises"])


def test_of_several_teachers_the_mean_counts() -> None:
    mean = mean_of([soft(0.2, 0.8), soft(0.6, 0.4)])
    assert mean.texts["mood"] == pytest.approx([0.4, 0.6])
    assert mean.names[0] == pytest.approx([0.4, 0.6])


def test_temperature_flattens() -> None:
    assert sharpened(np.array([0.1, 0.9], np.float32), 2.0) == pytest.approx([0.25, 0.75])


def test_entities_that_teachers_judged_are_asked_of_the_student() -> None:
    judged = with_entities(Example("Ore rises"), soft(0.2, 0.8))
    assert judged.entities == {"entity": (EntityLabel(Span(0, 3), UNKNOWN),)}
    assert with_entities(PAIR, soft(0.2, 0.8)) == PAIR
