"""The two users of the group writer, as its contract asks for them, and a process that writes until it is killed.

    python -m tests.group_commit_users broker|archive FOLDER

Prints the number of each job once its writer has acknowledged it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from streams.archive.protocol import StoredAlert
from streams.archive.sqlite import SqliteArchive
from streams.engine.ports import Send
from streams.group_commit import GroupWriter
from streams.transport.sqlite.store import Store
from streams.transport.sqlite.writer import Writer

IN_FLIGHT = 20
JOB_VALUES = 3


class User(Protocol):
    """Writes numbers; a negative one is refused."""

    path: Path
    db: sqlite3.Connection
    group: GroupWriter[Any, Any, Any]

    def put(self, numbers: Sequence[int]) -> Awaitable[object]: ...

    def stored(self) -> list[int]: ...

    def close(self) -> None: ...


class BrokerUser:
    """Records of a topic."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "broker.db"
        self.store = Store.open(self.path)
        self.store.create_topic("t", 1)
        self.writer = Writer(self.store)
        self.db = self.store._write_db
        self.group = self.writer._group

    def put(self, numbers: Sequence[int]) -> Awaitable[object]:
        return self.writer.send([Send("t" if number >= 0 else "absent", None, b"%d" % number) for number in numbers])

    def stored(self) -> list[int]:
        return [int(record.value or b"") for record in self.store.scan("t")]

    def close(self) -> None:
        self.writer.close()
        self.store.close()


class ArchiveUser:
    """States of an alert."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "archive.db"
        self.archive = SqliteArchive(self.path)
        self.db = self.archive._writer.db
        self.group = self.archive._writer._group

    def put(self, numbers: Sequence[int]) -> Awaitable[object]:
        alerts = [
            StoredAlert("a", number if number >= 0 else 2**63, "", "", "", "", "", 0, 0, b"") for number in numbers
        ]
        return asyncio.ensure_future(self.archive.write_alerts(alerts))

    def stored(self) -> list[int]:
        with sqlite3.connect(self.path) as db:
            found = [row[0] for row in db.execute("SELECT revision FROM alerts ORDER BY revision")]
        db.close()
        return found

    def close(self) -> None:
        self.archive._writer.close()
        self.archive._reader.close()


USERS: dict[str, type[BrokerUser] | type[ArchiveUser]] = {"broker": BrokerUser, "archive": ArchiveUser}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another connection holds the file's write lock: jobs queue up meanwhile."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def _write(user: User) -> None:
    number = 0
    jobs: list[tuple[int, Awaitable[object]]] = []
    while True:
        while len(jobs) < IN_FLIGHT:
            jobs.append((number, user.put(range(number * JOB_VALUES, (number + 1) * JOB_VALUES))))
            number += 1
        done, answer = jobs.pop(0)
        await answer
        print(done, flush=True)


if __name__ == "__main__":
    asyncio.run(_write(USERS[sys.argv[1]](Path(sys.argv[2]))))
