"""One thread a file that writes to it: whatever waits goes into one transaction, and each job gets its own answer.

    put(job) ─► queue ─► all that wait, up to a bound ─► one transaction ─┬─► committed: an answer to every waiter
                                                                          ├─► a job is refused: each again, alone
                                                                          └─► begin or commit fails: error to all

A transaction costs one fsync, some milliseconds on a disk; a group of a hundred small jobs costs the same.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Generic, NamedTuple, TypeVar

__all__ = ["GroupWriter", "transaction"]

Target = TypeVar("Target")
Job = TypeVar("Job")
Answer = TypeVar("Answer")

_FLUSH: Any = None


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One write transaction: takes the write lock at once, commits at the end, rolls back on any error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with suppress(sqlite3.Error):  # the first error is the one that counts
                connection.execute("ROLLBACK")
        raise


class _Entry(NamedTuple):
    """A job and the future of who waits for it; a flush has `_FLUSH` for a job."""

    job: Any
    done: asyncio.Future[Any]


class GroupWriter(Generic[Target, Job, Answer]):
    """Takes jobs from any event loop and does them in its thread, in order, in groups.

    `transaction` opens one transaction, gives what jobs write to, and commits at the end. `run` does a group of jobs
    there and returns one answer for each; if it raises, nothing of the group remains, and each job is done alone. A
    group ends when the sum of `weight` reaches `most`. `closed` makes the error for a job that comes after `close`.
    """

    def __init__(
        self,
        name: str,
        transaction: Callable[[], AbstractContextManager[Target]],
        run: Callable[[Target, Sequence[Job]], Sequence[Answer]],
        *,
        most: int,
        weight: Callable[[Job], int] = lambda _: 1,
        closed: Callable[[], Exception],
    ) -> None:
        self._transaction = transaction
        self._run = run
        self._most = most
        self._weight = weight
        self._closed = closed
        self._waiting: deque[_Entry] = deque()
        self._ready = threading.Condition()
        self._busy = False
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def put(self, job: Job) -> asyncio.Future[Answer]:
        """Queues the job; the future has its answer once it is durable, or the error. Raises `closed` at once."""
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        with self._ready:
            if self._closing:
                raise self._closed()
            self._waiting.append(_Entry(job, done))
            self._ready.notify()
        return done

    async def flush(self) -> None:
        """Returns when everything queued before is durable, or was refused."""
        with self._ready:
            idle = not self._waiting and not self._busy
        if not idle:
            await self.put(_FLUSH)

    def close(self) -> None:
        """Finishes what is queued and ends the thread. Idempotent."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join()

    def _work(self) -> None:
        while entries := self._take():
            jobs = [entry for entry in entries if entry.job is not _FLUSH]
            if jobs:
                _resolve(self._write(jobs))
            if len(jobs) < len(entries):
                _resolve([(entry, None) for entry in entries if entry.job is _FLUSH])

    def _take(self) -> list[_Entry]:
        """Everything that waits, up to the bound; empty when the thread is to end."""
        with self._ready:
            self._busy = False
            while not self._waiting and not self._closing:
                self._ready.wait()
            self._busy = True
            group, weight = list[_Entry](), 0
            while self._waiting and weight < self._most:
                group.append(entry := self._waiting.popleft())
                weight += 0 if entry.job is _FLUSH else self._weight(entry.job)
            return group

    def _write(self, entries: Sequence[_Entry]) -> list[tuple[_Entry, Any]]:
        """Returns each entry with its answer, or the error that it gets."""
        refused = False
        try:
            with self._transaction() as target:
                try:
                    answers = self._run(target, [entry.job for entry in entries])
                except Exception:
                    refused = True
                    raise
        except Exception as error:  # whoever awaits the job gets it; the thread serves all and goes on
            if refused and len(entries) > 1:  # one of several (an unknown topic, say): the others must not fail with it
                return [pair for entry in entries for pair in self._write([entry])]
            return [(entry, error) for entry in entries]
        return list(zip(entries, answers, strict=True))


def _resolve(answers: Sequence[tuple[_Entry, Any]]) -> None:
    """Resolves each future in its own event loop: one wake-up a loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Entry, Any]]] = {}
    for entry, answer in answers:
        by_loop.setdefault(entry.done.get_loop(), []).append((entry, answer))
    for loop, pairs in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed, and its waiters with it
            loop.call_soon_threadsafe(_set_results, pairs)


def _set_results(answers: Sequence[tuple[_Entry, Any]]) -> None:
    for entry, answer in answers:
        if entry.done.done():  # whoever waited has given up
            continue
        if isinstance(answer, Exception):
            entry.done.set_exception(answer)
        else:
            entry.done.set_result(answer)
