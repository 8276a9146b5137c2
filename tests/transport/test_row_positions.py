"""Of two rows of one key recovery keeps the one with the later position, wherever it stands in the log."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.runs import Record, Run
from streams.transport.faust_app import make_app
from streams.transport.tables import POSITION_HEADER, Rows, RowTable, position_header, term_header


def header(offset: int, epoch: str = "first") -> tuple[tuple[str, bytes], ...]:
    return (position_header(Run("t", 0, 1, epoch, [Record(offset, None, b"", 0)], offset + 1)),)


def test_a_late_row_of_a_paused_worker_changes_nothing() -> None:
    rows = Rows()
    rows.take(b"k", b"successor", header(500))
    rows.take(b"k", b"paused", header(149))
    rows.take(b"other", b"paused", header(149))
    assert rows.values == {b"k": b"successor", b"other": b"paused"}


def test_a_late_row_does_not_bring_back_what_was_deleted() -> None:
    rows = Rows()
    rows.take(b"k", None, header(500))
    rows.take(b"k", b"paused", header(149))
    assert rows.values == {}


def test_a_topic_that_was_made_again_begins_anew_and_what_is_late_of_the_old_one_stays_old() -> None:
    rows = Rows()
    rows.take(b"k", b"old", header(900, "first"))
    rows.take(b"k", b"new", header(3, "second"))
    rows.take(b"k", b"old and late", header(950, "first"))
    assert rows.values == {b"k": b"new"}


def test_rows_without_a_position_count_in_the_order_of_the_log() -> None:
    rows = Rows()
    rows.take(b"k", b"1")
    rows.take(b"k", b"2")
    assert rows.values == {b"k": b"2"}
    rows.take(b"k", b"3", header(1))
    rows.take(b"k", None)
    assert rows.values == {}


def test_the_position_of_a_deleted_row_is_kept_for_as_long_as_a_writer_may_be_paused() -> None:
    rows = Rows()
    for number in range(1_000):
        rows.take(b"%d" % number, b"row", header(number))
        rows.take(b"%d" % number, None, header(number), at_ms=number)
    rows.take(b"7", b"again", header(2_000))
    rows.purge(before_ms=990)
    rows.take(b"995", b"paused", header(3))
    assert rows.values == {b"7": b"again"}
    assert len(rows.at) == 11
    assert len(rows.deleted) == 10


def row_table(folder: Path) -> RowTable:
    app = make_app("rows", broker_url=f"sqlite://{folder}/broker.db", group="g", data_dir=folder)
    return RowTable(app, name="rows", key_type=bytes, value_type=bytes, partitions=1, beacon=app.tables.beacon)


def test_a_term_that_was_asked_for_before_the_rows_were_restored_is_found_anew(tmp_path: Path) -> None:
    """By a write that was late, of a worker that has the partition again after another one had it."""
    table = row_table(tmp_path)
    assert table.of(0).term() == 1
    table.restore(0, [Record(0, b"k", b"of another", 0, (term_header(2),))])
    table.of(0).take(b"k", b"ours", (term_header(table.of(0).term()),))
    assert table.of(0).values == {b"k": b"ours"}


@pytest.mark.parametrize(
    "value", [None, b"", b"1234567", b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\x7f" + b"\xff" * 7 + b"first"]
)
def test_a_row_with_a_position_that_no_stage_writes_is_left_out_and_reported(value: Any, tmp_path: Path) -> None:
    reported: list[tuple[str, str]] = []
    table = row_table(tmp_path)
    table.on_foreign = lambda *said: reported.append(said)
    good = [Record(n, b"k%d" % n, b"row", 0, header(7)) for n in (0, 2)]
    table.restore(0, [good[0], Record(1, b"k0", b"foreign", 0, ((POSITION_HEADER, value),)), good[1]])
    assert table.of(0).values == {b"k0": b"row", b"k2": b"row"}
    ((topic, detail),) = reported
    assert topic == table.changelog_topic_name
    assert f"offset 1 of {topic}" in detail
    table.of(0).take(b"k0", b"later", header(8))
    assert table.of(0).values[b"k0"] == b"later"


def test_a_row_of_an_epoch_that_the_topic_never_had_is_earlier_than_those_of_the_present_one() -> None:
    for order in ((b"ours", b"foreign"), (b"foreign", b"ours")):
        rows = Rows(epoch=b"present")
        for value in order:
            rows.take(b"k", value, header(9, "present") if value == b"ours" else header(10**9, "forged"))
        assert rows.values == {b"k": b"ours"}


def test_a_forged_term_leaves_room_for_the_next() -> None:
    rows = Rows()
    rows.take(b"k", b"forged", (term_header((1 << 48) - 1),))
    rows.take(b"k", b"ours", (term_header(rows.term()),))
    assert rows.values == {b"k": b"ours"}


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.integers(0, 50)), max_size=30), st.randoms())
def test_any_order_of_the_log_gives_the_same_rows(written: list[tuple[bytes, int]], chance: random.Random) -> None:
    shuffled = list(written)
    chance.shuffle(shuffled)
    found = []
    for order in (written, shuffled):
        rows = Rows()
        for key, offset in order:
            rows.take(key, b"%s up to %d" % (key, offset), header(offset))
        found.append(rows.values)
    last = {key: max(offset for other, offset in written if other == key) for key, _ in written}
    assert found[0] == found[1] == {key: b"%s up to %d" % (key, offset) for key, offset in last.items()}


@given(seed=st.integers(0, 2**32))
def test_rows_of_an_earlier_owner_that_land_late_are_stale_once_the_next_has_written_them(seed: int) -> None:
    """Owners one after the other; each takes over by writing what it may act on, and its last rows may land late."""
    rng = random.Random(seed)
    log: list[tuple[bytes, bytes | None, int]] = []
    late: list[tuple[bytes, bytes | None, int]] = []
    wanted: dict[bytes, bytes | None] = {}
    for owner in range(4):
        restored = Rows()
        for key, value, term in log:
            restored.take(key, value, (term_header(term),))
        assert restored.values == {key: value for key, value in wanted.items() if value is not None}
        term = restored.term()
        assert restored.term() == term
        log += [(key, value, term) for key, value in restored.values.items()]
        log += [row for row in late if rng.random() < 0.7]
        for number in range(rng.randint(0, 6)):
            key = b"n%d" % rng.randint(0, 3)
            value = None if rng.random() < 0.3 else b"%d.%d" % (owner, number)
            log.append((key, value, term))
            wanted[key] = value
        late += [(key, b"late", term) for key, value in wanted.items() if value is not None and rng.random() < 0.5]
