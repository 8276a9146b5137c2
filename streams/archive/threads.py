"""The archive's threads: one that writes in groups, one that reads."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from streams.archive.protocol import ArchiveDamaged
from streams.archive.schema import connect, explain, lost
from streams.kept_file import KeptFile

__all__ = ["Reader", "Writer"]

T = TypeVar("T")

_Job = tuple[Callable[[sqlite3.Connection], object], "Future[Any]"]
_MOST_JOBS = 64


class _Thread:
    """A thread with a connection of its own that takes jobs from a queue until it is closed."""

    def __init__(self, path: Path, name: str, *, read_only: bool) -> None:
        self._path = path
        self._db = connect(path, read_only=read_only)
        self._file = KeptFile(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run `job` in the thread and give its result; SQLite's errors come as ours."""
        future: Future[Any] = Future()
        self._jobs.put((job, future))
        result: T = await asyncio.wrap_future(future)
        return result

    def close(self) -> None:
        """Finish what is queued, then end. Idempotent."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()

    def check(self) -> None:
        """Raises ArchiveDamaged when the path names the open file no longer; a few microseconds."""
        if loss := self._file.loss():
            raise lost(self._path, loss)

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            group, last = self._group(first)
            self._do_group(group)
            if last:
                break
        self._db.close()

    def _group(self, first: _Job) -> tuple[list[_Job], bool]:
        """Everything that waits, up to a bound; whether the end was among it."""
        group = [first]
        with contextlib.suppress(queue.Empty):
            while len(group) < _MOST_JOBS:
                job = self._jobs.get_nowait()
                if job is None:
                    return group, True
                group.append(job)
        return group, False

    def _do_group(self, group: list[_Job]) -> None:
        raise NotImplementedError

    def _attempt(self, job: Callable[[sqlite3.Connection], object]) -> tuple[object, Exception | None]:
        try:
            self.check()
            return job(self._db), None
        except sqlite3.Error as error:
            return None, explain(error, self._path)
        except Exception as error:
            return None, error  # goes to whoever awaits the job


class Reader(_Thread):
    """Reads; never blocks the writer, and sees what was committed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "archive-read", read_only=True)

    def _do_group(self, group: list[_Job]) -> None:
        for job, future in group:
            result, error = self._attempt(job)
            _settle(future, result, error)


class Writer(_Thread):
    """Writes all waiting jobs in one transaction: one flush to disk for all, each job whole or not at all."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "archive-write", read_only=False)
        self.rolled_back: Callable[[], None] = lambda: None

    def _do_group(self, group: list[_Job]) -> None:
        results: list[tuple[object, Exception | None]] = []
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for job, _ in group:
                results.append(self._savepoint(job))
            self._db.execute("COMMIT")
            self.check()  # after the commit: what went to a file that is gone is not durable
        except ArchiveDamaged as error:
            results = [(None, error)] * len(group)
        except sqlite3.Error as error:
            self._rollback()
            results = [(None, explain(error, self._path))] * len(group)
        for (_, future), (result, error_of_job) in zip(group, results, strict=True):
            _settle(future, result, error_of_job)

    def _savepoint(self, job: Callable[[sqlite3.Connection], object]) -> tuple[object, Exception | None]:
        self._db.execute("SAVEPOINT job")
        result, error = self._attempt(job)
        if error is not None:
            self._db.execute("ROLLBACK TO job")
            self.rolled_back()
        self._db.execute("RELEASE job")
        return result, error

    def _rollback(self) -> None:
        self.rolled_back()
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("ROLLBACK")


def _settle(future: Future[Any], result: object, error: Exception | None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
