"""Positions by epoch: a record that names an epoch which never was silences no other, and memory stays bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.positions import MOST_EPOCHS, SourcePositions
from streams.records import VERSION, MentionBatch, MentionItem


def batch(epoch: str, *offsets: int, partition: int = 0) -> MentionBatch:
    items = tuple(MentionItem(offset, f"{offset}", 1, 1, {}, ("all",)) for offset in offsets)
    return MentionBatch(VERSION, epoch, partition, 1, 0, items)


def fresh(positions: SourcePositions, told: MentionBatch) -> list[int]:
    found = [item.offset for item in positions.fresh(told)]
    positions.advance(told)
    return found


def test_an_epoch_that_never_was_silences_no_other() -> None:
    positions = SourcePositions()
    assert fresh(positions, batch("e", 0, 1)) == [0, 1]
    assert fresh(positions, batch("forged", 10**12)) == [10**12]
    assert fresh(positions, batch("e", 1, 2)) == [2]


def test_a_topic_made_again_counts_from_its_first_offset_and_what_is_left_of_the_old_one_once() -> None:
    positions = SourcePositions()
    assert fresh(positions, batch("old", *range(10))) == list(range(10))
    assert fresh(positions, batch("new", 0, 1)) == [0, 1]
    assert fresh(positions, batch("old", 8, 9)) == []


@given(st.lists(st.text(max_size=3), max_size=3 * MOST_EPOCHS))
def test_forged_epochs_push_out_none_that_is_heard(epochs: list[str]) -> None:
    positions = SourcePositions()
    for offset, epoch in enumerate(epochs):
        fresh(positions, batch(f"forged {epoch}", 5))
        assert fresh(positions, batch("real", offset)) == [offset]
        assert fresh(positions, batch("real", offset)) == []
        assert len(positions.last) <= MOST_EPOCHS
