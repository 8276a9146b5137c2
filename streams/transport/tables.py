"""A stage's rows in a Faust table: kept in a compacted changelog topic, restored by Faust after a restart.

Faust writes and restores a row as an event, 100 microseconds each; here rows go past that. A write is one batch to
the changelog through the producer, and memory follows once it is acknowledged: so memory never claims what a
crash would undo, and a failed write leaves both as they were. Recovery takes whole pages of the changelog and
shows Faust only the last record, from which it knows that it has come to the end.

Where several workers share a stage, each row carries the position of the run that wrote it. A worker that was
paused past its session may write after its successor did; of two rows of one key, recovery keeps the one with the
later position, wherever it is in the log. A stage that also writes outside of runs has a fenced table: its rows
carry a term instead, which is higher for each worker that takes the partition over. The position of a deleted row is
kept for as long as the broker keeps the tombstone at least (`kafka_compaction_lag_hours`).
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import faust

from streams.engine.ports import Send
from streams.engine.runs import Record, Run
from streams.limits import check_rows
from streams.logs import get_logger
from streams.transport.lane import CURRENT
from streams.transport.outbox import append
from streams.wall_clock import wall_clock_ms

__all__ = ["POSITION_HEADER", "FaustState", "ForeignRow", "Rows", "position_header", "term_header"]

log = get_logger(__name__)

POSITION_HEADER = "at"
"""Header of a row: 8 bytes of the last offset of the run that wrote it, then its topic's epoch; or a term's 8 bytes."""

_OFFSET = struct.Struct(">q")

#: Epochs are numbered in the order in which a partition's rows name them; an offset takes the lower bits.
_EPOCH_SHIFT = 48
_MOST = (1 << _EPOCH_SHIFT) - 1

OnForeign = Callable[[str, str], None]
"""Receives the topic and what is wrong with a row of it that is none of ours."""


class ForeignRow(Exception):
    """A row with a position that no stage of ours wrote; the text says what it is."""


def position_header(run: Run) -> tuple[str, bytes]:
    """The header for the rows that the run's stage writes."""
    return POSITION_HEADER, _OFFSET.pack(run.last_offset) + run.epoch.encode()


def term_header(term: int) -> tuple[str, bytes]:
    """The header for the rows of a fenced table."""
    return POSITION_HEADER, _OFFSET.pack(term)


@dataclass(slots=True)
class Rows:
    """The rows of one partition. `at` holds their positions, those of deleted ones too until they are purged; rows
    without one have none. `deleted` are the keys of deleted rows, each with the time (ms), oldest first.

    `epoch` is the present one of the stage's topic: it is later than all others, also than one that was named after it.
    """

    values: dict[bytes, bytes] = field(default_factory=dict)
    at: dict[bytes, int] = field(default_factory=dict)
    epochs: list[bytes] = field(default_factory=list)
    deleted: deque[tuple[int, bytes]] = field(default_factory=deque)
    epoch: bytes = b""
    _term: int | None = None

    def term(self) -> int:
        """Higher than every term in the rows that were restored; the same for as long as these rows are kept."""
        if self._term is None:
            self._term = min(max((at & _MOST for at in self.at.values()), default=0) + 1, _MOST)
        return self._term

    def forget_term(self) -> None:
        """More rows are restored: the term is found anew, to be higher than theirs too."""
        self._term = None

    def take(
        self, key: bytes, value: bytes | None, headers: Iterable[tuple[str, bytes]] = (), *, at_ms: int = 0
    ) -> None:
        """Takes a row (None deletes) that was written at `at_ms`, unless one with a later position is known.

        Raises `ForeignRow`.
        """
        position = self._position(headers)
        if position is not None:
            if key in self.at and self._order(position) < self._order(self.at[key]):
                return
            self.at[key] = position
        if value is not None:
            self.values[key] = value
            return
        self.values.pop(key, None)
        if position is not None:
            self.deleted.append((at_ms, key))

    def purge(self, before_ms: int) -> None:
        """Forgets the positions of rows that were deleted before: no writer has been paused for so long."""
        while self.deleted and self.deleted[0][0] < before_ms:
            _, key = self.deleted.popleft()
            if key not in self.values:
                self.at.pop(key, None)

    def _position(self, headers: Iterable[tuple[str, bytes]]) -> int | None:
        for name, value in headers:
            if name == POSITION_HEADER:
                offset, epoch = _read(value)
                if epoch not in self.epochs:
                    self.epochs.append(epoch)
                return self.epochs.index(epoch) << _EPOCH_SHIFT | offset
        return None

    def _order(self, position: int) -> tuple[bool, int]:
        return self.epochs[position >> _EPOCH_SHIFT] == self.epoch, position


def _read(value: bytes | None) -> tuple[int, bytes]:
    """Returns offset and epoch of a header; raises `ForeignRow`."""
    if value is None or len(value) < _OFFSET.size:
        raise ForeignRow(f"its header {POSITION_HEADER} holds no position: {value!r}")
    offset: int = _OFFSET.unpack_from(value)[0]
    if not 0 <= offset <= _MOST:
        raise ForeignRow(f"its header {POSITION_HEADER} holds a position that no topic has: {offset}")
    return offset, value[_OFFSET.size :]


def _unheard(topic: str, detail: str) -> None: ...


class RowTable(faust.Table[bytes, bytes]):
    """A Faust table whose rows are kept by partition, and filled many at a time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows: dict[int, Rows] = {}
        self.fenced = False
        self.on_foreign: OnForeign = _unheard

    def of(self, partition: int) -> Rows:
        """The rows of a partition."""
        rows = self.rows.get(partition)
        if rows is None:
            rows = self.rows[partition] = Rows()
        return rows

    def restore(self, partition: int, records: Iterable[Record]) -> None:
        """Takes a page of the changelog; a row that is none of ours is left out and reported."""
        rows = self.of(partition)
        rows.epoch = self.source_epoch()
        rows.forget_term()  # a write that was late may have asked for it before these rows were here
        for record in records:
            if record.key is None:
                continue
            try:
                rows.take(record.key, record.value, record.headers, at_ms=record.timestamp_ms)
            except ForeignRow as error:
                self._report(partition, record.offset, error)

    def source_epoch(self) -> bytes:
        """The present epoch of the topic that the stage reads; empty where rows tell terms or none."""
        topic = self.app.source_topic
        if self.fenced or topic is None or not self.app.transport.rows_tell_position:
            return b""
        try:
            epoch: str = self.app.consumer.topic_epoch(topic)
        except KeyError:  # of no partition here
            return b""
        return epoch.encode()

    def _report(self, partition: int, offset: int, error: ForeignRow) -> None:
        topic = self.changelog_topic_name
        log.error("Foreign row left out", topic=topic, partition=partition, offset=offset, error=str(error))
        self.on_foreign(topic, f"a row that moodwire did not write is left out: offset {offset} of {topic}: {error}")

    async def on_rebalance(self, assigned: Any, revoked: Any, newly_assigned: Any, generation_id: int = 0) -> None:
        """Forgets the rows of partitions that are another worker's, or were meanwhile: they are restored anew."""
        for tp in revoked | newly_assigned:
            if tp.topic == self.changelog_topic_name:
                self.rows.pop(tp.partition, None)
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)


class FaustState:
    """`engine.ports.StateStore` over a Faust table of raw bytes.

    A row of partition `p` and key `k` is the table's row `b"p|k"`, in changelog partition `p`: the
    partition of the source topic, so that rows travel with it. `name` is part of the changelog topic's name;
    `partitions` is the source topic's number of partitions. To be made before the app starts.

    `fenced` is for a stage that also writes outside of runs. Of a partition that it takes over it writes the rows that
    it may act on again, before it does: from then on those that an earlier owner writes late are stale. `on_foreign`
    hears of rows that are none of ours.
    """

    def __init__(
        self, app: Any, name: str, *, partitions: int, fenced: bool = False, on_foreign: OnForeign = _unheard
    ) -> None:
        table = RowTable(
            app, name=name, key_type=bytes, value_type=bytes, partitions=partitions, beacon=app.tables.beacon
        )
        table.fenced, table.on_foreign = fenced, on_foreign
        self._table = app.tables.add(table)
        self._app = app
        self._tell_position: bool = app.transport.rows_tell_position
        self._fenced = fenced
        self._keep_ms: int = app.kafka.compaction_lag_ms

    @property
    def changelog_topic(self) -> str:
        """The full name of the compacted topic that holds the rows."""
        name: str = self._table.changelog_topic_name
        return name

    def get(self, partition: int, key: str) -> bytes | None:
        """The row, or None."""
        value: bytes | None = self._table.of(partition).values.get(_row_key(partition, key))
        return value

    def items(self, partition: int) -> Iterator[tuple[str, bytes]]:
        """All rows of the partition, as they are now; there may be many, so not all at once."""
        start = len(_row_key(partition, ""))
        for key, value in list(self._table.of(partition).values.items()):
            yield key[start:].decode(), value

    async def put(self, partition: int, rows: Mapping[str, bytes | None]) -> None:
        """Writes rows in the order of `rows` (None deletes); returns when the changelog has them.

        The changelog has none without those before it. Raises Retry and TransportError; then no row has
        changed in memory, and it may be called again.
        """
        if not rows:
            return
        keyed = {_row_key(partition, key): value for key, value in rows.items()}
        topic, headers = self.changelog_topic, self._headers(partition)
        sends = [Send(topic, key, value, partition, headers) for key, value in keyed.items()]
        check_rows(sends)
        await append(self._app, sends)
        kept, now_ms = self._table.of(partition), wall_clock_ms()
        if not self._fenced and headers and (event := CURRENT.get()) is not None:
            kept.epoch = event.value.epoch.encode()
        for key, value in keyed.items():
            kept.take(key, value, headers, at_ms=now_ms)
        kept.purge(now_ms - self._keep_ms)

    def _headers(self, partition: int) -> tuple[tuple[str, bytes], ...]:
        if self._fenced and self._tell_position:
            return (term_header(self._table.of(partition).term()),)
        event = CURRENT.get() if self._tell_position else None
        return () if event is None else (position_header(event.value),)


def _row_key(partition: int, key: str) -> bytes:
    return f"{partition}|{key}".encode()
