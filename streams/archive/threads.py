"""The archive's threads: one that writes in groups (`streams.group_commit`), one that reads."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from streams.archive.protocol import ArchiveError
from streams.archive.schema import connect, explain, lost
from streams.group_commit import GroupWriter, transaction
from streams.kept_file import KeptFile

__all__ = ["Reader", "Writer"]

T = TypeVar("T")

_Job = Callable[[sqlite3.Connection], object]
_MOST_JOBS = 64


class _File:
    """A connection to the archive's file, which raises our errors in place of SQLite's."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.db = connect(path, read_only=read_only)
        self._path = path
        self._file = KeptFile(path)

    def check(self) -> None:
        """Raises ArchiveDamaged when the path names the open file no longer; a few microseconds."""
        if loss := self._file.loss():
            raise lost(self._path, loss)

    @contextmanager
    def explained(self) -> Iterator[None]:
        self.check()
        try:
            yield
        except sqlite3.Error as error:
            raise explain(error, self._path) from error


class Reader:
    """Reads; never blocks the writer, and sees what was committed."""

    def __init__(self, path: Path) -> None:
        self._file = _File(path, read_only=True)
        self._thread = ThreadPoolExecutor(1, "archive-read")

    async def do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `job` in the thread and returns its result; SQLite's errors come as ours."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, job)

    def close(self) -> None:
        """Finishes what is queued, then ends. Idempotent."""
        self._thread.shutdown()
        self._file.db.close()

    def _do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        with self._file.explained():
            return job(self._file.db)


class Writer:
    """Writes all waiting jobs in one transaction: one flush to disk for all, each job whole or not at all.

    `rolled_back` is called after a transaction that failed.
    """

    def __init__(self, path: Path) -> None:
        self._file = _File(path, read_only=False)
        self.db = self._file.db
        self.check = self._file.check
        self.rolled_back: Callable[[], None] = lambda: None
        self._group: GroupWriter[sqlite3.Connection, _Job, object] = GroupWriter(
            "archive-write",
            self._transaction,
            _run,
            most=_MOST_JOBS,
            closed=lambda: ArchiveError(f"archive {path} is closed: moodwire is shutting down"),
        )

    async def do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `job` in the thread and returns its result once it is durable; SQLite's errors come as ours."""
        return await self._group.put(job)  # type: ignore[return-value]  # the job's own

    def close(self) -> None:
        """Finishes what is queued, then ends. Idempotent."""
        self._group.close()
        self.db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._file.explained(), transaction(self.db):
                yield self.db
        except Exception:
            self.rolled_back()
            raise
        self.check()  # after the commit: what went to a file that is gone is not durable


def _run(db: sqlite3.Connection, jobs: Sequence[_Job]) -> list[object]:
    return [job(db) for job in jobs]
