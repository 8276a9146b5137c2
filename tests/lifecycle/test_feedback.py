"""Corrections: the last word of a person counts, disagreement is held back, and the rest becomes a data set."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import pytest

from models.training.data.dataset import read_split
from streams.archive.memory import MemoryArchive
from streams.engine.runs import Record
from streams.errors import NewerVersion, Reject
from streams.lifecycle.feedback import Conflict, Feedback, feedback_sends, parse_feedback, read_feedback, review
from streams.lifecycle.training_code import read_datasets
from streams.lifecycle.training_set import build_training_set
from tests.lifecycle.scored_items import scored

LABELS = ("negative", "neutral", "positive")


def word(
    item: str, by: str, label: str = "", at_ms: int = 1, *, resolves: bool = False, head: str = "sentiment"
) -> Feedback:
    return Feedback(item=item, by=by, at_ms=at_ms, labels={head: label} if label else {}, resolves=resolves)


def read(*words: Feedback) -> list[Feedback]:
    return read_feedback(records(*words))


def records(*words: Feedback) -> list[Record]:
    sends = [send for one in words for send in feedback_sends("feedback", one)]
    return [Record(offset, send.key, send.value, 0) for offset, send in enumerate(sends)]


def compacted(found: list[Record]) -> list[Record]:
    """What a broker keeps at the least: the last record of each key."""
    last = {record.key: record.offset for record in found}
    return [record for record in found if last[record.key] == record.offset]


def test_the_last_word_of_a_person_counts_also_when_it_came_first() -> None:
    words = read(word("a", "ann", "negative", 5), word("a", "ann", "positive", 3))
    assert review(words).agreed == {"a": {"sentiment": "negative"}}
    assert review(read(word("a", "ann", "negative", 1), word("a", "ann", "", 2))).agreed == {}


def test_two_people_who_disagree_teach_nothing_until_they_agree() -> None:
    split = [word("a", "ann", "negative", 1), word("a", "bob", "neutral", 2)]
    found = review(read(*split))
    assert found.agreed == {}
    assert found.conflicts == [Conflict("a", "sentiment", {"negative": ["ann"], "neutral": ["bob"]})]
    assert review(read(*split, word("a", "ann", "neutral", 3))).agreed == {"a": {"sentiment": "neutral"}}


def test_a_later_word_may_resolve_and_one_after_it_opens_the_question_again() -> None:
    split = [word("a", "ann", "negative", 1), word("a", "bob", "neutral", 2)]
    resolved = [*split, word("a", "eve", "neutral", 3, resolves=True)]
    assert review(read(*resolved)).agreed == {"a": {"sentiment": "neutral"}}
    assert len(review(read(*resolved, word("a", "ann", "positive", 4))).conflicts) == 1


def test_heads_and_entities_are_judged_apart() -> None:
    one = Feedback(item="a", by="ann", at_ms=1, labels={"topic": "Markets"}, entities={"Oreon": "negative"})
    two = Feedback(item="a", by="bob", at_ms=1, labels={"topic": "Earnings"}, entities={"Oreon": "negative"})
    found = review(read(one, two))
    assert found.agreed == {"a": {"entity/Oreon": "negative"}}
    assert [conflict.head for conflict in found.conflicts] == ["topic"]


def test_a_later_word_on_another_head_leaves_the_earlier_one() -> None:
    """A correction of the topic is none of the sentiment, nor does it resolve or reopen what was said of that."""
    mood = [word("a", "bob", "positive", 1), word("a", "ann", "negative", 2, resolves=True)]
    topic = [word("a", "bob", "Markets", 3, head="topic"), word("a", "ann", "Earnings", 4, head="topic")]
    found = records(*mood, *topic)
    for kept in (found, compacted(found)):
        reviewed = review(read_feedback(kept))
        assert reviewed.agreed == {"a": {"sentiment": "negative"}}
        assert [conflict.head for conflict in reviewed.conflicts] == ["topic"]


def test_entities_are_merged_as_heads_are() -> None:
    words = [Feedback(item="a", by="ann", at_ms=at, entities={name: "negative"}) for at, name in enumerate("xy")]
    assert review(read(*words)).agreed == {"a": {"entity/x": "negative", "entity/y": "negative"}}


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 0, 1, 3), (1, 2, 0, 3)])
def test_a_withdrawal_takes_back_all_that_was_said_before_and_nothing_after(order: tuple[int, ...]) -> None:
    words = [
        word("a", "ann", "negative", 1),
        word("a", "ann", "Markets", 2, head="topic"),
        word("a", "ann", "", 3),
        word("a", "ann", "Earnings", 4, head="topic"),
    ]
    found = records(*(words[at] for at in order))
    for kept in (found, compacted(found)):
        assert review(read_feedback(kept)).agreed == {"a": {"topic": "Earnings"}}


def test_a_word_of_the_same_time_as_a_withdrawal_is_the_later_of_the_two() -> None:
    assert review(read(word("a", "ann", "negative", 1), word("a", "ann", "", 1))).agreed == {}
    assert review(read(word("a", "ann", "", 1), word("a", "ann", "negative", 1))).agreed == {
        "a": {"sentiment": "negative"}
    }


def test_a_line_without_labels_is_refused_and_one_with_none_in_them_takes_the_word_back() -> None:
    with pytest.raises(Reject, match="no labels and no entities"):
        parse_feedback(b'{"item":"a","label":{"sentiment":"negative"}}', by="ann", now_ms=7)
    assert parse_feedback(b'{"item":"a","labels":{}}', by="ann", now_ms=7).verdicts == {}


def test_a_line_of_feedback_is_read_or_rejected_with_the_reason() -> None:
    found = parse_feedback(b'{"item":"a","labels":{"sentiment":"negative"},"note":"kept out"}', by="ann", now_ms=7)
    assert (found.item, found.by, found.at_ms) == ("a", "ann", 7)
    for line in (b"{", b'{"labels":{}}', b'{"item":"a","labels":{"sentiment":3}}'):
        with pytest.raises(Reject, match="bad_feedback"):
            parse_feedback(line, by="ann", now_ms=7)


def test_what_cannot_be_read_in_the_topic_is_passed_over_and_named(caplog: pytest.LogCaptureFixture) -> None:
    good = word("a", "ann", "negative")
    sent = Record(0, b"a", msgspec.json.encode(good), 0)
    for garbage in (b"{", b"\xff", b"[]", b""):
        caplog.clear()
        assert read_feedback([sent, Record(4, b"a", garbage, 0)]) == [good]
        assert "offset=4" in caplog.text
    newer = msgspec.json.encode(msgspec.structs.replace(word("a", "ann", "negative"), schema=99))
    with pytest.raises(NewerVersion):
        read_feedback([Record(4, b"a", newer, 0)])
    assert read_feedback([Record(0, b"a", b'{"item":"a","by":"b","at_ms":1}', 0), Record(1, b"a", None, 0)]) == []


async def test_a_set_is_what_training_reads_with_a_part_held_out(tmp_path: Path) -> None:
    archive = MemoryArchive()
    await archive.write_items([scored(number, f"Company {number} warns, again") for number in range(200)])
    words = [word(f"id{number}", "ann", LABELS[number % 3]) for number in range(200)]
    words += [word("gone", "ann", "negative"), word("id7", "ann", "Markets", head="colour")]
    built = await build_training_set(review(words), archive, {"sentiment": LABELS}, tmp_path)
    assert built.rows == {"sentiment": 200}
    assert [(one.item, one.head) for one in built.left_out] == [("gone", "sentiment"), ("id7", "colour")]
    assert "does not hold" in built.left_out[0].reason
    [described] = read_datasets(built.descriptions)
    parts = [read_split(described, tmp_path, part) for part in ("train", "test")]
    assert sum(map(len, parts)) == 200
    assert 20 < len(parts[1]) < 60


async def test_entities_make_a_set_of_their_own(tmp_path: Path) -> None:
    archive = MemoryArchive()
    await archive.write_items([scored(1, "Oreon falls as Tessel rises")])
    said = Feedback(item="id1", by="ann", at_ms=1, entities={"Oreon": "negative", "Tessel": "positive"})
    built = await build_training_set(review([said]), archive, {"entity": LABELS}, tmp_path, entity_head="entity")
    [described] = read_datasets(built.descriptions)
    assert described.kind == "entities"
    examples = [one for part in ("train", "test") for one in read_split(described, tmp_path, part)]
    assert len(examples) == 1
    with (tmp_path / "feedback-entity.csv").open(encoding="utf-8") as file:
        assert list(csv.reader(file))[1][0] == "Oreon falls as Tessel rises"


async def test_a_label_that_the_model_does_not_know_is_left_out(tmp_path: Path) -> None:
    archive = MemoryArchive()
    await archive.write_items([scored(1, "Oreon falls")])
    built = await build_training_set(review([word("id1", "ann", "sad")]), archive, {"sentiment": LABELS}, tmp_path)
    assert built.descriptions == []
    assert built.left_out[0].reason == "'sad' is none of the labels of sentiment: negative, neutral, positive"
