"""One thread per file and process that appends and commits: everything queued goes into one transaction.

A transaction costs one fsync, some milliseconds on a disk; a queue of a hundred small sends costs the same.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from streams.engine.ports import Send
from streams.errors import TransportError
from streams.transport.sqlite.store import Commit, Store

__all__ = ["Writer"]

_MOST_SENDS = 20_000  # some 100 ms of one transaction; readers do not wait for it

Placed = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Job:
    sends: Sequence[Send]
    commits: Sequence[Commit]
    done: asyncio.Future[Placed]


class Writer:
    """Takes work from event loops; hands back the places of the records once they are durable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._jobs: deque[_Job] = deque()
        self._ready = threading.Condition()
        self._busy = False
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=f"writer {store.path.name}", daemon=True)
        self._thread.start()

    def send(self, sends: Sequence[Send]) -> asyncio.Future[Placed]:
        """Queues an append; the future gives (partition, offset) of each, or raises TransportError.

        A record that the file cannot hold at all (a timestamp beyond 64 bits) raises what SQLite's driver says of it.
        """
        return self._put(sends, ())

    def commit(self, commit: Commit) -> asyncio.Future[Placed]:
        """Queues committed offsets."""
        return self._put((), (commit,))

    async def flush(self) -> None:
        """Returns when everything queued before is durable."""
        with self._ready:
            idle = not self._jobs and not self._busy
        if not idle:
            await self._put((), ())

    def close(self) -> None:
        """Finishes what is queued and ends the thread."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join()

    def _put(self, sends: Sequence[Send], commits: Sequence[Commit]) -> asyncio.Future[Placed]:
        done: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
        with self._ready:
            if self._closing:
                raise TransportError(f"The broker's file {self._store.path} is closed: moodwire is shutting down.")
            self._jobs.append(_Job(sends, commits, done))
            self._ready.notify()
        return done

    def _work(self) -> None:
        while jobs := self._take():
            self._write(jobs)

    def _take(self) -> list[_Job]:
        with self._ready:
            self._busy = False
            while not self._jobs and not self._closing:
                self._ready.wait()
            self._busy = True
            jobs, sends = [], 0
            while self._jobs and sends < _MOST_SENDS:
                jobs.append(self._jobs.popleft())
                sends += len(jobs[-1].sends)
            return jobs

    def _write(self, jobs: list[_Job]) -> None:
        sends = [send for job in jobs for send in job.sends]
        commits = [commit for job in jobs for commit in job.commits]
        try:
            placed = self._store.write(sends, commits=commits) if sends or commits else []
        except Exception as error:  # whoever awaits the job gets it; the thread serves all and goes on
            self._write_singly(jobs, error)
            return
        at = 0
        answers: list[tuple[_Job, Placed | Exception]] = []
        for job in jobs:
            answers.append((job, placed[at : at + len(job.sends)]))
            at += len(job.sends)
        _answer(answers)

    def _write_singly(self, jobs: list[_Job], error: Exception) -> None:
        """One job of several was refused (an unknown topic, say): the others must not fail with it."""
        if len(jobs) == 1:
            _answer([(jobs[0], error)])
            return
        for job in jobs:
            self._write([job])


def _answer(answers: Sequence[tuple[_Job, Placed | Exception]]) -> None:
    """Resolves each future in its own event loop: one wake-up per loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Placed | Exception]]] = {}
    for job, answer in answers:
        by_loop.setdefault(job.done.get_loop(), []).append((job, answer))
    for loop, pairs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, pairs)


def _resolve(answers: Sequence[tuple[_Job, Placed | Exception]]) -> None:
    for job, answer in answers:
        if job.done.done():
            continue
        if isinstance(answer, Exception):
            job.done.set_exception(answer)
        else:
            job.done.set_result(answer)
