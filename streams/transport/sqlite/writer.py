"""One thread per file and process that appends and commits (`streams.group_commit`)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import NamedTuple

from streams.engine.ports import Send
from streams.errors import TransportError
from streams.group_commit import GroupWriter
from streams.transport.sqlite.log import Log
from streams.transport.sqlite.store import Commit, Store
from streams.wall_clock import wall_clock_ms

__all__ = ["Writer"]

_MOST_RECORDS = 20_000  # some 100 ms of one transaction; readers do not wait for it

Placed = list[tuple[int, int]]


class _Job(NamedTuple):
    sends: Sequence[Send] = ()
    commits: Sequence[Commit] = ()


class Writer:
    """Takes work from event loops; hands back the places of the records once they are durable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._appended = False
        self._group: GroupWriter[Log, _Job, Placed] = GroupWriter(
            f"writer {store.path.name}",
            self._transaction,
            self._run,
            most=_MOST_RECORDS,
            weight=lambda job: len(job.sends),
            closed=lambda: TransportError(f"The broker's file {store.path} is closed: moodwire is shutting down."),
        )

    def send(self, sends: Sequence[Send]) -> asyncio.Future[Placed]:
        """Queues an append; the future gives (partition, offset) of each, or raises TransportError.

        A record that the file cannot hold at all (a timestamp beyond 64 bits) raises the error of SQLite's driver.
        """
        return self._group.put(_Job(sends=sends))

    def commit(self, commit: Commit) -> asyncio.Future[Placed]:
        """Queues committed offsets."""
        return self._group.put(_Job(commits=(commit,)))

    async def flush(self) -> None:
        """Returns when everything queued before is durable."""
        await self._group.flush()

    def close(self) -> None:
        """Finishes what is queued and ends the thread."""
        self._group.close()

    @contextmanager
    def _transaction(self) -> Iterator[Log]:
        self._appended = False
        with self._store.writing() as log:
            yield log
        if self._appended:
            self._store.hub.announce()

    def _run(self, log: Log, jobs: Sequence[_Job]) -> list[Placed]:
        sends = [send for job in jobs for send in job.sends]
        placed = log.append(sends, wall_clock_ms()) if sends else []
        for job in jobs:
            for commit in job.commits:
                log.commit(commit.group, commit.offsets)
        self._appended = bool(sends)
        ends = accumulate(len(job.sends) for job in jobs)
        return [placed[end - len(job.sends) : end] for job, end in zip(jobs, ends, strict=True)]
