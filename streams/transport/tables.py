"""A stage's rows in a Faust table: kept in a compacted changelog topic, restored by Faust after a restart.

Rows are written past `table[key] = value`, which costs as much as an event for each row: one batch goes to
the changelog through the producer, and memory follows once it is acknowledged. So memory never claims what a
crash would undo, and a failed write leaves both as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from streams.engine.ports import Send
from streams.transport.outbox import FaustOutbox

__all__ = ["FaustState"]


class FaustState:
    """`engine.ports.StateStore` over a Faust table of raw bytes.

    A row of partition `p` and key `k` is the table's row `b"p|k"` and stands in changelog partition `p`: the
    partition of the source topic, so that rows travel with it. `name` is part of the changelog topic's name;
    `partitions` is the source topic's number of partitions. To be made before the app starts.
    """

    def __init__(self, app: Any, name: str, *, partitions: int) -> None:
        self._table = app.Table(name, key_type=bytes, value_type=bytes, partitions=partitions)
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
        """Writes rows in the order of `rows` (None deletes); returns when the changelog has acknowledged
        them.

        Raises TransportError; then no row has changed in memory, and it may be called again.
        """
        if not rows:
            return
        keyed = {_row_key(partition, key): value for key, value in rows.items()}
        topic = self.changelog_topic
        await self._outbox.send([Send(topic, key, value, partition) for key, value in keyed.items()])
        self._remember(partition, keyed)

    def _remember(self, partition: int, rows: Mapping[bytes, bytes | None]) -> None:
        """Into the table's own memory, which recovery fills too."""
        store = self._table.data
        for key, value in rows.items():
            if value is None:
                store.data.pop(key, None)
                store._key_partition.pop(key, None)
            else:
                store.data[key] = value
                store._key_partition[key] = partition


def _row_key(partition: int, key: str) -> bytes:
    return f"{partition}|{key}".encode()
