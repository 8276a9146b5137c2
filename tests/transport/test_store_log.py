"""What one call to the store promises, and what its errors say."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.engine.ports import Send
from streams.errors import TransportError
from streams.transport.sqlite.store import Commit, Store
from streams.transport.sqlite.upkeep import MARK_STAYS_MS, Held
from tests.full_disk import full_disk

NOW_MS = 1_700_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store


def test_a_record_comes_back_as_it_was_sent(store: Store) -> None:
    store.create_topic("t", 2)
    sends = [
        Send("t", b"k", b"\x00\xff", 1, (("end", b"7"), ("empty", b"")), 1234),
        Send("t", None, None, 1),
        Send("t", b"", b"", 1),
    ]
    assert store.append(sends, now_ms=NOW_MS) == [0, 1, 2]
    first, second, third = store.read("t", 1, 0, 10)
    assert (first.key, first.value, first.timestamp_ms) == (b"k", b"\x00\xff", 1234)
    assert first.headers == (("end", b"7"), ("empty", b""))
    assert (second.key, second.value, second.timestamp_ms, second.headers) == (None, None, NOW_MS, ())
    assert (third.key, third.value) == (b"", b"")


def test_records_without_a_key_take_turns(store: Store) -> None:
    store.create_topic("t", 3)
    store.append([Send("t", None, b"v") for _ in range(9)])
    assert [store.end_offset("t", p) for p in range(3)] == [3, 3, 3]


def test_a_read_ends_where_its_bytes_or_records_end(store: Store) -> None:
    store.create_topic("t", 1)
    store.append([Send("t", None, bytes(1000)) for _ in range(10)])
    assert len(store.read("t", 0, 0, 4)) == 4
    assert len(store.read("t", 0, 0, 10, max_bytes=2500)) == 3
    assert len(store.read("t", 0, 0, 10, max_bytes=1)) == 1
    assert [r.offset for r in store.read("t", 0, 7, 10)] == [7, 8, 9]
    assert store.read("t", 0, 10, 10) == []


def test_a_topic_made_again_has_another_epoch_and_no_records(store: Store) -> None:
    store.create_topic("t", 1)
    before = store.epoch("t")
    store.append([Send("t", None, b"v")])
    store.commit("g", {("t", 0): 1})
    store.create_topic("t", 1)
    assert store.epoch("t") == before
    store.delete_topic("t")
    store.create_topic("t", 1)
    assert store.epoch("t") != before
    assert store.read("t", 0, 0, 10) == []
    assert store.committed("g") == {}


def test_a_refused_batch_leaves_nothing_behind(store: Store) -> None:
    store.create_topic("t", 1)
    with pytest.raises(TransportError, match="no topic 'nope'"):
        store.append([Send("t", None, b"v"), Send("nope", None, b"v")], {"file": "1"})
    assert store.end_offset("t", 0) == 0
    assert store.progress("file") is None
    assert store.append([Send("t", None, b"v")]) == [0]


def test_what_cannot_be_asked_for_says_why(store: Store) -> None:
    store.create_topic("t", 2)
    store.create_topic("kept", 1, compacted=True)
    with pytest.raises(TransportError, match="exists with 2 partitions"):
        store.create_topic("t", 4)
    with pytest.raises(TransportError, match="has 2 partitions, so none numbered 2"):
        store.append([Send("t", None, b"v", 2)])
    with pytest.raises(TransportError, match="this record has no key"):
        store.append([Send("kept", None, b"v")])
    with pytest.raises(TransportError, match="at least one partition"):
        store.create_topic("none", 0)


def test_another_store_sees_topics_and_records_at_once(path: Path, store: Store) -> None:
    with Store.open(path) as other:
        seen = other.changes()
        store.create_topic("t", 1)
        assert other.append([Send("t", None, b"v")]) == [0]
        store.append([Send("t", None, b"w")])
        assert other.changes() != seen
        assert [r.value for r in other.read("t", 0, 0, 9)] == [b"v", b"w"]
        store.delete_topic("t")
        with pytest.raises(TransportError, match="no topic"):
            other.append([Send("t", None, b"v")])


def test_listeners_hear_of_appends_and_not_of_commits(store: Store) -> None:
    heard: list[int] = []
    stop = store.hub.listen(lambda: heard.append(1))
    store.create_topic("t", 1)
    store.write([Send("t", None, b"v")], commits=[Commit("g", {("t", 0): 0})])
    store.commit("g", {("t", 0): 1})
    assert heard == [1]
    stop()
    store.append([Send("t", None, b"v")])
    assert heard == [1]


def test_lag_counts_what_is_not_committed(store: Store) -> None:
    store.create_topic("t", 2)
    store.append([Send("t", None, b"v", p) for p in (0, 0, 1)])
    assert sum(store.lags("g", "t").values()) == 3
    store.commit("g", {("t", 0): 2})
    assert sum(store.lags("g", "t").values()) == 1
    store.commit("g", {("t", 1): 1})
    assert sum(store.lags("g", "t").values()) == 0


def test_a_group_that_is_late_is_named_and_can_be_given_up(store: Store) -> None:
    store.create_topic("t", 1, retention_ms=1000)
    store.append([Send("t", None, b"v") for _ in range(5)], now_ms=NOW_MS)
    store.commit("g", {("t", 0): 2})
    later = NOW_MS + 120_000
    assert store.enforce_retention(later) == 0
    assert store.held_back(later) == []
    assert store.enforce_retention(later + 2000) == 2
    assert store.held_back(later + 2000) == [Held("g", "t", 0, 3)]
    store.leave("g")
    assert store.held_back(later + 2000) == []
    assert store.enforce_retention(later + 2000) == 3


def test_what_retention_takes_from_a_group_that_has_not_joined_is_named(store: Store) -> None:
    store.create_topic("t", 1, retention_ms=1_000_000)
    store.append([Send("t", None, b"v") for _ in range(5)], now_ms=NOW_MS)
    absent = [("g", "t"), ("g", "no-topic")]
    found = {}
    for passed_ms in (70_000, 700_000, 900_000, 1_200_000):
        store.enforce_retention(NOW_MS + passed_ms)
        found[passed_ms] = store.held_back(NOW_MS + passed_ms, absent)
    assert found == {
        70_000: [],
        700_000: [],
        900_000: [Held("g", "t", 0, 5)],
        1_200_000: [Held("g", "t", 0, 5, lost=True)],
    }
    store.join("g", ["t"])
    assert store.held_back(NOW_MS + 1_200_000, absent) == []


def test_a_deletion_mark_stays_an_hour_for_those_who_are_reading(store: Store) -> None:
    store.create_topic("kept", 1, compacted=True)
    store.append([Send("kept", b"a", b"1"), Send("kept", b"a", None), Send("kept", b"z", b"1")], now_ms=NOW_MS)
    store.compact(NOW_MS, force=True)
    store.compact(NOW_MS + MARK_STAYS_MS - 1000, force=True)
    assert [(r.key, r.value) for r in store.read("kept", 0, 0, 9)] == [(b"a", None), (b"z", b"1")]
    store.compact(NOW_MS + 3 * MARK_STAYS_MS, force=True)
    assert [r.key for r in store.read("kept", 0, 0, 9)] == [b"z"]


def test_compaction_waits_until_it_pays(store: Store) -> None:
    store.create_topic("kept", 1, compacted=True)
    store.append([Send("kept", b"a", b"%d" % i) for i in range(4_000)])
    assert store.compact() == 0
    store.append([Send("kept", b"a", b"%d" % i) for i in range(4_000)])
    assert store.compact() == 7_999
    assert [r.value for r in store.read("kept", 0, 0, 9)] == [b"3999"]


def test_the_file_stops_growing_where_records_are_replaced(path: Path, store: Store) -> None:
    store.create_topic("kept", 1, compacted=True)

    def fill() -> int:
        for _ in range(20):
            store.append([Send("kept", b"%d" % i, bytes(400)) for i in range(500)])
            store.compact(force=True)
        pages: int = store._read_db.execute("PRAGMA page_count").fetchone()[0]
        return pages

    assert fill() == fill()


def test_a_file_that_is_none_of_ours_says_so(path: Path) -> None:
    path.write_bytes(b"just a text, long enough to be no database header at all" * 20)
    with pytest.raises(TransportError, match=r"broker\.db is not a broker's file"):
        Store.open(path)


def test_a_database_of_somebody_else_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()
    with pytest.raises(TransportError, match="not a moodwire broker"):
        Store.open(path)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    db.close()


def test_a_file_of_a_newer_moodwire_is_refused(path: Path) -> None:
    Store.open(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(TransportError, match="newer moodwire"):
        Store.open(path)


def read_to_the_end(store: Store) -> None:
    offset = 0
    while page := store.read("t", 0, offset, 500):
        offset = page[-1].offset + 1


def test_a_damaged_file_names_the_fix(path: Path) -> None:
    with Store.open(path) as store:
        store.create_topic("t", 1)
        for _ in range(20):
            store.append([Send("t", None, bytes(900)) for _ in range(200)])
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 3)
        file.write(b"\xaa" * (size // 3))
    with Store.open(path) as store, pytest.raises(TransportError, match="is damaged"):
        read_to_the_end(store)


def test_a_full_disk_names_the_file_and_goes_on_when_there_is_room(path: Path, store: Store) -> None:
    store.create_topic("t", 1)
    pages = store._write_db.execute("PRAGMA page_count").fetchone()[0]
    store._write_db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(TransportError, match=r"No space left for the broker's file .*broker\.db"):
        store.append([Send("t", None, bytes(100_000))])
    assert store.read("t", 0, 0, 9) == []
    store._write_db.execute("PRAGMA max_page_count = 1000000")
    assert store.append([Send("t", None, bytes(100_000))]) == [0]


def test_a_refusal_lasts_until_a_write_succeeds_the_trial_one_too(path: Path, store: Store) -> None:
    store.create_topic("t", 1)
    store.check_writes()
    with full_disk(path), pytest.raises(TransportError, match="No space left"):
        store.append([Send("t", None, bytes(100_000))])
    assert "No space left" in store.hub.refusal
    with full_disk(path):
        with store.writing():
            pass  # nothing was written
        with pytest.raises(TransportError, match=r"No space left for the broker's file .*broker\.db"):
            store.check_writes()
    store.check_writes()
    assert store.hub.refusal == ""
    with full_disk(path), pytest.raises(TransportError, match="No space left"):
        store.append([Send("t", None, bytes(100_000))])
    store.append([Send("t", None, b"")])
    assert store.hub.refusal == ""


def test_what_is_wrong_with_a_record_is_no_refusal(store: Store) -> None:
    store.create_topic("t", 1)
    with pytest.raises(TransportError):
        store.append([Send("no topic", None, b"")])
    with pytest.raises(OverflowError):
        store.append([Send("t", None, b"", timestamp_ms=1 << 70)])
    assert store.hub.refusal == ""


def test_a_folder_that_cannot_be_made_names_the_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TransportError, match="folder"):
        Store.open(tmp_path / "file" / "broker.db")


def test_a_copy_of_the_file_after_closing_is_complete(path: Path, tmp_path: Path) -> None:
    with Store.open(path) as store:
        store.create_topic("t", 1)
        store.append([Send("t", None, b"v")])
    shutil.copy(path, tmp_path / "copy.db")
    with Store.open(tmp_path / "copy.db") as copy:
        assert [r.value for r in copy.read("t", 0, 0, 9)] == [b"v"]
