"""A stage's rows in a Faust table: kept in a compacted changelog topic, restored by Faust after a restart.

Faust writes and restores a row as an event, 100 microseconds each; here rows go past that. A write is one batch to
the changelog through the producer, and memory follows once it is acknowledged: so memory never claims what a
crash would undo, and a failed write leaves both as they were. Recovery takes whole pages of the changelog and
shows Faust only the last record, from which it knows that it has come to the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import faust

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.transport.outbox import FaustOutbox

__all__ = ["FaustState"]


class RowTable(faust.Table[bytes, bytes]):
    """A Faust table whose memory can be filled many rows at a time."""

    def remember(self, partition: int, rows: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Takes rows of a changelog partition into memory, in order; None deletes."""
        memory, partitions = self.data.data, self.data._key_partition
        for key, value in rows:
            if value is None:
                memory.pop(key, None)
                partitions.pop(key, None)
            else:
                memory[key] = value
                partitions[key] = partition

    def restore(self, partition: int, records: Iterable[Record]) -> None:
        """Takes a page of the changelog."""
        self.remember(partition, ((record.key, record.value) for record in records if record.key is not None))


class FaustState:
    """`engine.ports.StateStore` over a Faust table of raw bytes.

    A row of partition `p` and key `k` is the table's row `b"p|k"` and stands in changelog partition `p`: the
    partition of the source topic, so that rows travel with it. `name` is part of the changelog topic's name;
    `partitions` is the source topic's number of partitions. To be made before the app starts.
    """

    def __init__(self, app: Any, name: str, *, partitions: int) -> None:
        table = RowTable(
            app, name=name, key_type=bytes, value_type=bytes, partitions=partitions, beacon=app.tables.beacon
        )
        self._table = app.tables.add(table)
        self._outbox = FaustOutbox(app)

    @property
    def changelog_topic(self) -> str:
        """The full name of the compacted topic that holds the rows."""
        name: str = self._table.changelog_topic_name
        return name

    def get(self, partition: int, key: str) -> bytes | None:
        """The row, or None."""
        value: bytes | None = self._table.data.data.get(_row_key(partition, key))
        return value

    def items(self, partition: int) -> Iterable[tuple[str, bytes]]:
        """All rows of the partition; looks at every row of the table, so for the start of a partition."""
        prefix = _row_key(partition, "")
        start = len(prefix)
        return [(key[start:].decode(), value) for key, value in self._table.data.data.items() if key.startswith(prefix)]

    async def put(self, partition: int, rows: Mapping[str, bytes | None]) -> None:
        """Writes rows in the order of `rows` (None deletes); returns when the changelog has them.

        Raises TransportError; then no row has changed in memory, and it may be called again.
        """
        if not rows:
            return
        keyed = {_row_key(partition, key): value for key, value in rows.items()}
        topic = self.changelog_topic
        await self._outbox.send([Send(topic, key, value, partition) for key, value in keyed.items()])
        self._table.remember(partition, keyed.items())


def _row_key(partition: int, key: str) -> bytes:
    return f"{partition}|{key}".encode()
