"""Retention by age and compaction by key, in small steps between which appends go on.

Both only remove what nobody can need: retention stops at the slowest group's committed offset; compaction
removes a record only where a later one of the same key stands, and a deletion mark (a record without a value)
only when it is old and every group has passed it. The last record of a partition always stays, so that a
reader that waits for the end finds it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Protocol

from streams.transport.broker import WARN_AT
from streams.transport.sqlite.log import AGE_STEP_MS, Log, TopicGone
from streams.transport.sqlite.schema import OFFSET_BITS
from streams.wall_clock import HOUR_MS

__all__ = ["Held", "Upkeep"]

#: One step removes at most so many records in one transaction: some 10 ms during which appends wait.
_STEP = 2_000

#: A partition is compacted once as much has been appended to it as it held after the last time, and at least
#: so much: the work stays proportional to what was appended.
_DIRTY_AT_LEAST = 5_000

#: How long a deletion mark stays, so that whoever is reading the topic from its start sees it.
MARK_STAYS_MS = HOUR_MS


@dataclass(frozen=True, slots=True)
class Held:
    """Records of a partition that are past their age and kept only because `group` has not read them.

    Of a group that has not joined yet: records that nothing keeps for it; with `lost` they are gone.
    """

    group: str
    topic: str
    partition: int
    records: int
    lost: bool = False


class Transactions(Protocol):
    """Gives out write transactions, fairly among the threads of this process."""

    def __call__(self) -> AbstractContextManager[None]: ...


class Upkeep:
    """Works on its caller's connection; every transaction is short."""

    def __init__(self, connection: sqlite3.Connection, log: Log, transactions: Transactions) -> None:
        self._db = connection
        self._log = log
        self._transaction = transactions

    # -- retention

    def retain(self, now_ms: int) -> int:
        """Removes records that are older than their topic's retention and that every group has passed."""
        removed = 0
        for info in list(self._log.topics().values()):
            if info.retention_ms is None or info.compacted:
                continue
            with suppress(TopicGone):
                for tp_id in info.tp_ids:
                    removed += self._retain(tp_id, now_ms, now_ms - info.retention_ms)
        return removed

    def _retain(self, tp_id: int, now_ms: int, before_ms: int) -> int:
        self._note_age(tp_id, now_ms)
        first, end = self._log.bounds(tp_id)
        slowest = self._log.slowest(tp_id)
        keep_from = min(self._older_than(tp_id, before_ms), end if slowest is None else slowest)
        for low in range(first, keep_from, _STEP):
            high = min(low + _STEP, keep_from)
            with self._transaction():
                self._db.execute(
                    "DELETE FROM record WHERE id >= ? AND id < ?",
                    (tp_id << OFFSET_BITS | low, tp_id << OFFSET_BITS | high),
                )
                self._db.execute("UPDATE part SET first_offset = ? WHERE tp_id = ?", (high, tp_id))
        if keep_from > first:
            self._forget_ages(tp_id, before_ms)
        return max(0, keep_from - first)

    def held_back(self, now_ms: int, absent: Iterable[tuple[str, str]] = ()) -> list[Held]:
        """Where a group is so far behind that records stay past their age, worst first.

        `absent` are (group, topic) pairs that are to be read: those that have not joined yet are at offset 0, and are
        named when retention has passed that, or comes near.
        """
        found = [held for group, topic in absent for held in self._absent(now_ms, group, topic)]
        rows = self._db.execute(
            "SELECT grp, name, partition, tp_id, committed.next_offset, retention_ms FROM committed"
            " JOIN part USING (tp_id) JOIN topic USING (topic_id) WHERE retention_ms IS NOT NULL AND NOT compacted"
        ).fetchall()
        for group, topic, partition, tp_id, offset, retention_ms in rows:
            records = self._older_than(tp_id, now_ms - retention_ms) - offset
            if records > 0:
                found.append(Held(group, topic, partition, records))
        return sorted(found, key=lambda held: (not held.lost, -held.records))

    def _absent(self, now_ms: int, group: str, topic: str) -> Iterator[Held]:
        info = self._log.topics().get(topic)
        if info is None or info.retention_ms is None or info.compacted:
            return
        joined = self._log.committed(group)
        for partition, tp_id in enumerate(info.tp_ids):
            if (topic, partition) in joined:
                continue
            first = self._log.bounds(tp_id)[0]
            old = self._older_than(tp_id, now_ms - int(WARN_AT * info.retention_ms))
            if first or old:
                yield Held(group, topic, partition, first or old, lost=first > 0)

    def _note_age(self, tp_id: int, now_ms: int) -> None:
        """A partition to which nothing more is appended ages too."""
        end = self._log.bounds(tp_id)[1]
        newest = self._db.execute("SELECT max(at_ms), max(next_offset) FROM age WHERE tp_id = ?", (tp_id,)).fetchone()
        if newest[0] is None or (newest[1] < end and now_ms - newest[0] >= AGE_STEP_MS):
            with self._transaction():
                self._log.note_age(tp_id, now_ms, self._log.bounds(tp_id)[1])

    def _older_than(self, tp_id: int, before_ms: int) -> int:
        """The offset below which every record was appended before `before_ms`."""
        offset: int | None = self._db.execute(
            "SELECT max(next_offset) FROM age WHERE tp_id = ? AND at_ms <= ?", (tp_id, before_ms)
        ).fetchone()[0]
        return offset or 0

    def _forget_ages(self, tp_id: int, before_ms: int) -> None:
        with self._transaction():
            self._db.execute(
                "DELETE FROM age WHERE tp_id = ? AND at_ms < "
                "(SELECT max(at_ms) FROM age WHERE tp_id = ? AND at_ms <= ?)",
                (tp_id, tp_id, before_ms),
            )

    # -- compaction

    def compact(self, now_ms: int, *, force: bool = False) -> int:
        """Removes superseded records of compacted topics where enough was appended since the last time."""
        removed = 0
        for info in list(self._log.topics().values()):
            if not info.compacted:
                continue
            with suppress(TopicGone):
                for tp_id in info.tp_ids:
                    removed += self._compact(tp_id, now_ms, force)
        return removed

    def _compact(self, tp_id: int, now_ms: int, force: bool) -> int:
        _, end, clean = self._log.offsets(tp_id)
        dirty = end - clean
        if not force and (dirty < _DIRTY_AT_LEAST or dirty < self._held(tp_id, clean)):
            return 0
        self._note_age(tp_id, now_ms)
        doomed = self._superseded(tp_id, end, self._droppable(tp_id, now_ms))
        self._delete(doomed)
        with self._transaction():
            self._db.execute("UPDATE part SET clean_offset = ? WHERE tp_id = ?", (end, tp_id))
            self._db.execute("DELETE FROM age WHERE tp_id = ? AND at_ms < ?", (tp_id, now_ms - 2 * MARK_STAYS_MS))
        return len(doomed)

    def _held(self, tp_id: int, below: int) -> int:
        low = tp_id << OFFSET_BITS
        count: int = self._db.execute(
            "SELECT count(*) FROM record WHERE id >= ? AND id < ?", (low, low | below)
        ).fetchone()[0]
        return count

    def _droppable(self, tp_id: int, now_ms: int) -> int:
        """Deletion marks below this offset are old and every group has passed them."""
        slowest = self._log.slowest(tp_id)
        old = self._older_than(tp_id, now_ms - MARK_STAYS_MS)
        return old if slowest is None else min(old, slowest)

    def _superseded(self, tp_id: int, end: int, marks_below: int) -> list[int]:
        """Row ids to remove, oldest first: so a deletion mark goes after all that it deletes."""
        last: dict[bytes, tuple[int, bool]] = {}
        doomed: list[int] = []
        for row_id, key, deleted in self._keys(tp_id, end):
            before = last.get(key)
            if before is not None:
                doomed.append(before[0])
            last[key] = (row_id, deleted)
        mark_limit = tp_id << OFFSET_BITS | min(marks_below, end - 1)
        doomed += [row_id for row_id, deleted in last.values() if deleted and row_id < mark_limit]
        doomed.sort()
        return doomed

    def _keys(self, tp_id: int, end: int) -> Iterator[tuple[int, bytes, bool]]:
        """(row id, key, whether it is a deletion mark), page by page: a long read would hold up the WAL."""
        at, limit = tp_id << OFFSET_BITS, tp_id << OFFSET_BITS | end
        while True:
            page = self._db.execute(
                "SELECT id, key, value IS NULL FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT 10000",
                (at, limit),
            ).fetchall()
            if not page:
                return
            yield from page
            at = page[-1][0] + 1

    def _delete(self, row_ids: list[int]) -> None:
        for at in range(0, len(row_ids), _STEP):
            with self._transaction():
                self._db.executemany("DELETE FROM record WHERE id = ?", [(i,) for i in row_ids[at : at + _STEP]])
