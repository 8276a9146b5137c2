"""Statements on the log inside a transaction that the caller holds: topics, appends, reads, commits.

Offsets are dense per partition and come from a counter in the partition's row, written in the transaction of
the append: a number is never given twice, also when retention or compaction has removed every record.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.errors import TransportError
from streams.transport.partitioner import partition_for
from streams.transport.sqlite.schema import OFFSET_BITS, OFFSET_MASK
from streams.wall_clock import MINUTE_MS

__all__ = ["Log", "TopicGone", "TopicInfo"]

#: How coarsely the age of records is kept: one row a minute and partition.
AGE_STEP_MS = MINUTE_MS

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...]).decode


class TopicGone(TransportError):
    """Another process deleted the topic between two statements."""


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic as the file describes it; `tp_ids[p]` is the row id of partition `p`."""

    topic_id: int
    name: str
    epoch: str
    partitions: int
    compacted: bool
    retention_ms: int | None
    tp_ids: tuple[int, ...]


class Log:
    """The statements, with what they need to remember between transactions (topics, round robin, ages)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._topics: dict[str, TopicInfo] = {}
        self._layout = -1
        self._turn: dict[int, int] = {}
        self._aged: dict[int, int] = {}

    # -- topics

    def topics(self) -> Mapping[str, TopicInfo]:
        """All topics by name; read again only when some were created or deleted."""
        layout = self._db.execute("SELECT version FROM layout").fetchone()[0]
        if layout != self._layout:
            self._topics = {info.name: info for info in self._read_topics()}
            self._layout = layout
        return self._topics

    def _read_topics(self) -> Iterator[TopicInfo]:
        """In one statement, which sees a topic with all its partitions or not at all: others may be making one."""
        rows = self._db.execute(
            "SELECT topic_id, name, epoch, partitions, compacted, retention_ms, tp_id"
            " FROM topic JOIN part USING (topic_id) ORDER BY topic_id, partition"
        )
        for (topic_id, name, epoch, partitions, compacted, retention_ms), parts in groupby(rows, lambda row: row[:6]):
            tp_ids = tuple(row[6] for row in parts)
            yield TopicInfo(topic_id, name, epoch, partitions, bool(compacted), retention_ms, tp_ids)

    def topic(self, name: str) -> TopicInfo:
        try:
            return self.topics()[name]
        except KeyError:
            raise TransportError(f"The embedded broker has no topic {name!r}: create it first.") from None

    def tp_id(self, name: str, partition: int) -> int:
        info = self.topic(name)
        if not 0 <= partition < info.partitions:
            raise TransportError(f"Topic {name!r} has {info.partitions} partitions, so none numbered {partition}.")
        return info.tp_ids[partition]

    def create_topic(self, name: str, partitions: int, *, compacted: bool, retention_ms: int | None) -> None:
        """Creates a topic, or updates the retention of an existing one; its partitions stay as they are."""
        if partitions < 1:
            raise TransportError(f"Topic {name!r} needs at least one partition, not {partitions}.")
        known = self.topics().get(name)
        if known is None:
            self._insert_topic(name, partitions, compacted, retention_ms)
        elif known.partitions != partitions or known.compacted != compacted:
            raise TransportError(
                f"Topic {name!r} exists with {known.partitions} partitions, compacted={known.compacted}; "
                f"asked for {partitions}, compacted={compacted}. Partitions are fixed when a topic is made: "
                "set them as they were, or use a new data directory or namespace."
            )
        elif known.retention_ms != retention_ms:
            self._db.execute("UPDATE topic SET retention_ms = ? WHERE topic_id = ?", (retention_ms, known.topic_id))
            self._changed()

    def _insert_topic(self, name: str, partitions: int, compacted: bool, retention_ms: int | None) -> None:
        topic_id = self._db.execute(
            "INSERT INTO topic (name, epoch, partitions, compacted, retention_ms) VALUES (?, ?, ?, ?, ?)",
            (name, secrets.token_hex(8), partitions, compacted, retention_ms),
        ).lastrowid
        self._db.executemany(
            "INSERT INTO part (topic_id, partition) VALUES (?, ?)", [(topic_id, p) for p in range(partitions)]
        )
        self._changed()

    def delete_topic(self, name: str) -> None:
        info = self.topic(name)
        for tp_id in info.tp_ids:
            low = tp_id << OFFSET_BITS
            self._db.execute("DELETE FROM record WHERE id BETWEEN ? AND ?", (low, low | OFFSET_MASK))
            self._db.execute("DELETE FROM committed WHERE tp_id = ?", (tp_id,))
            self._db.execute("DELETE FROM age WHERE tp_id = ?", (tp_id,))
        self._db.execute("DELETE FROM topic WHERE topic_id = ?", (info.topic_id,))
        self._changed()

    def _changed(self) -> None:
        self._db.execute("UPDATE layout SET version = version + 1")
        self._layout = -1

    # -- appends

    def append(self, sends: Sequence[Send], now_ms: int) -> list[tuple[int, int]]:
        """Appends in the order given; returns (partition, offset) of each."""
        topics = self.topics()
        next_offset: dict[int, int] = {}
        rows: list[tuple[int, int, bytes | None, bytes | None, bytes | None]] = []
        placed: list[tuple[int, int]] = []
        for send in sends:
            info = topics.get(send.topic) or self.topic(send.topic)
            partition = self._partition_of(info, send)
            tp_id = info.tp_ids[partition]
            offset = next_offset.get(tp_id)
            if offset is None:
                offset = self._start_append(tp_id, now_ms)
            next_offset[tp_id] = offset + 1
            timestamp_ms = now_ms if send.timestamp_ms is None else send.timestamp_ms
            headers = _pack(send.headers) if send.headers else None
            rows.append((tp_id << OFFSET_BITS | offset, timestamp_ms, send.key, send.value, headers))
            placed.append((partition, offset))
        self._db.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?)", rows)
        self._db.executemany(
            "UPDATE part SET next_offset = ? WHERE tp_id = ?", [(end, tp) for tp, end in next_offset.items()]
        )
        return placed

    def _partition_of(self, info: TopicInfo, send: Send) -> int:
        if info.compacted and send.key is None:
            raise TransportError(f"Topic {info.name!r} keeps the last record of each key; this record has no key.")
        if send.partition is not None:
            if not 0 <= send.partition < info.partitions:
                self.tp_id(info.name, send.partition)
            return send.partition
        if info.partitions == 1:
            return 0
        if send.key is not None:
            return partition_for(send.key, info.partitions)
        turn = self._turn[info.topic_id] = self._turn.get(info.topic_id, -1) + 1
        return turn % info.partitions

    def _start_append(self, tp_id: int, now_ms: int) -> int:
        """The partition's next offset; about once a minute also notes that all below it is older than now."""
        _, offset, _ = self.offsets(tp_id)
        if now_ms - self._aged.get(tp_id, 0) >= AGE_STEP_MS:
            self.note_age(tp_id, now_ms, offset)
        return offset

    def note_age(self, tp_id: int, now_ms: int, next_offset: int) -> None:
        """Remembers that every record below `next_offset` was appended before `now_ms`."""
        self._db.execute("INSERT OR IGNORE INTO age VALUES (?, ?, ?)", (tp_id, now_ms, next_offset))
        self._aged[tp_id] = now_ms

    def set_progress(self, progress: Mapping[str, str]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO progress VALUES (?, ?)", list(progress.items()))

    # -- reads

    def read(self, tp_id: int, offset: int, limit: int, max_bytes: int) -> list[Record]:
        """Records from `offset` on: at most `limit`, and no further one once their values fill `max_bytes`."""
        low = tp_id << OFFSET_BITS
        rows = self._db.execute(
            "SELECT id, timestamp_ms, key, value, headers FROM record WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?",
            (low + offset, low | OFFSET_MASK, limit),
        )
        found = []
        size = 0
        for row_id, timestamp_ms, key, value, headers in rows:
            found.append(Record(row_id & OFFSET_MASK, key, value, timestamp_ms, _unpack(headers) if headers else ()))
            if value is not None:
                size += len(value)
                if size >= max_bytes:
                    break
        rows.close()
        return found

    def bounds(self, tp_id: int) -> tuple[int, int]:
        """(first offset that retention has left, offset of the next append)."""
        first, end, _ = self.offsets(tp_id)
        return first, end

    def offsets(self, tp_id: int) -> tuple[int, int, int]:
        """(first, next, the one up to which it was compacted); raises `TopicGone`."""
        row = self._db.execute(
            "SELECT first_offset, next_offset, clean_offset FROM part WHERE tp_id = ?", (tp_id,)
        ).fetchone()
        if row is None:
            raise TopicGone("The topic was deleted meanwhile.")
        first, end, clean = row
        return first, end, clean

    # -- committed offsets

    def commit(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        rows = [(group, self.tp_id(topic, partition), offset) for (topic, partition), offset in offsets.items()]
        self._db.executemany("INSERT OR REPLACE INTO committed VALUES (?, ?, ?)", rows)

    def join(self, group: str, topic: str) -> None:
        """The group reads `topic` from now on: retention waits for it, also before its first commit."""
        self._db.execute(
            "INSERT OR IGNORE INTO committed SELECT ?, tp_id, first_offset FROM part WHERE topic_id = ?",
            (group, self.topic(topic).topic_id),
        )

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        rows = self._db.execute(
            "SELECT name, partition, committed.next_offset FROM committed JOIN part USING (tp_id)"
            " JOIN topic USING (topic_id) WHERE grp = ?",
            (group,),
        )
        return {(name, partition): offset for name, partition, offset in rows}

    def leave(self, group: str) -> None:
        """The group reads nothing any more; retention waits for it no longer."""
        self._db.execute("DELETE FROM committed WHERE grp = ?", (group,))

    def slowest(self, tp_id: int) -> int | None:
        """The smallest committed offset of all groups that read the partition; None when none does."""
        value: int | None = self._db.execute(
            "SELECT min(next_offset) FROM committed WHERE tp_id = ?", (tp_id,)
        ).fetchone()[0]
        return value
