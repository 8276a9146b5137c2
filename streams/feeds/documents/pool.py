"""The parser processes, seen from the pipeline: started when first needed, killed when they take too long."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from streams.errors import MoodwireError, Reject
from streams.feeds.documents.document import MOST_ENTRIES, Document
from streams.feeds.documents.program import Answer, Request
from streams.worker_process import OverTime, Unavailable, WorkerEnded, WorkerProcess

__all__ = [
    "COSTLY_SECONDS",
    "CostlyReject",
    "DocumentParser",
    "ParserBusy",
    "ParserLimits",
    "ParserPool",
    "ParserUnavailable",
]

COSTLY_SECONDS = 1.0  # of processor time; 10 MiB of honest RSS take half of it


class ParserUnavailable(MoodwireError):
    """No parser process could be started; the document is not to blame."""


class ParserBusy(ParserUnavailable):
    """The document takes long, and so many others of its kind wait that it is not kept in memory too."""


class CostlyReject(Reject):
    """A document that took over `COSTLY_SECONDS` or too much memory, and gave nothing."""


class _OverTime(CostlyReject):
    """It was stopped for its time; with more it might be read."""

    def __init__(self, detail: str) -> None:
        super().__init__("costly_feed", detail)


class DocumentParser(Protocol):
    """Reads a feed's document somewhere else than in the event loop."""

    async def parse(self, body: bytes, headers: Mapping[str, str], url: str, *, costly: bool = False) -> Document:
        """`costly`: the feed's last document was. Raises `Reject` for the document and `ParserUnavailable` else."""


@dataclass(frozen=True, slots=True)
class ParserLimits:
    """What one document may cost. 10 MiB of honest RSS take 0.5 s and 45 MB; broken ones 6 s and 120 MB.

    `seconds` is wall time, for a process that hangs; processor time does not depend on how busy the machine is.
    `quick_seconds` is the wall time after which a document moves to the lane of costly ones, and `most_waiting` how
    many may wait there.
    """

    cpu_seconds: float = 10.0
    seconds: float = 60.0
    quick_seconds: float = 6.0
    most_waiting: int = 4
    memory_bytes: int = 512 << 20
    most_entries: int = MOST_ENTRIES


_LIMITS = ParserLimits()


class ParserPool:
    """Processes that all feeds of an event loop share: `workers` for most, and one for costly documents.

    One is enough for thousands of feeds: 30 entries take 1 ms of processor time. A document that takes over a second is
    stopped and begun again in the costly lane, where its feed's next one goes at once: so a document of a cheap feed
    waits behind a costly one for that second at most. A process that was killed is replaced when it is next needed. Use
    as an async context manager.
    """

    def __init__(self, limits: ParserLimits = _LIMITS, workers: int = 1) -> None:
        self._limits = limits
        quick = replace(
            limits,
            cpu_seconds=min(COSTLY_SECONDS, limits.cpu_seconds),
            seconds=min(limits.quick_seconds, limits.seconds),
        )
        self._quick, self._costly = _Lane(quick, workers), _Lane(limits, 1)

    async def parse(self, body: bytes, headers: Mapping[str, str], url: str, *, costly: bool = False) -> Document:
        """Raises `Reject` (``unsafe_xml``, ``bad_feed``, ``costly_feed``), `ParserBusy` or `ParserUnavailable`."""
        if not costly:
            with contextlib.suppress(_OverTime):
                return await self._quick.parse(body, headers, url)
        if self._costly.waiting >= self._limits.most_waiting:
            raise ParserBusy(f"{self._costly.waiting} other documents that take long to parse wait already")
        return await self._costly.parse(body, headers, url)

    async def __aenter__(self) -> ParserPool:
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in (*self._quick.workers, *self._costly.workers):
            await worker.kill()


class _Lane:
    """Processes with the same limits, and who waits for them."""

    def __init__(self, limits: ParserLimits, workers: int) -> None:
        self._limits = limits
        self.workers = [_Worker(limits) for _ in range(workers)]
        self.waiting = 0
        self._free: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self.workers:
            self._free.put_nowait(worker)

    async def parse(self, body: bytes, headers: Mapping[str, str], url: str) -> Document:
        limits = self._limits
        head = msgspec.json.encode(Request(headers, url, limits.cpu_seconds, limits.most_entries))
        worker = await self._taken()
        try:
            answer = await worker.answer(head, body)
        finally:
            self._free.put_nowait(worker)
        if answer.document is not None:
            return answer.document
        if answer.reason == "costly_feed" or answer.cpu_seconds > COSTLY_SECONDS:
            raise CostlyReject(answer.reason, answer.detail)
        raise Reject(answer.reason, answer.detail)

    async def _taken(self) -> _Worker:
        self.waiting += 1
        try:
            return await self._free.get()
        finally:
            self.waiting -= 1


class _Worker(WorkerProcess):
    """One process, or none yet."""

    def __init__(self, limits: ParserLimits) -> None:
        super().__init__("streams.feeds.documents.program", str(limits.memory_bytes), seconds=limits.seconds)
        self._limits = limits

    async def answer(self, head: bytes, body: bytes) -> Answer:
        """One question; a process that does not answer it is killed. Raises `Reject` or `ParserUnavailable`."""
        try:
            data = await self.ask(head, body)
        except OverTime:
            raise _OverTime(f"parsing took over {self._limits.seconds:g} s") from None
        except WorkerEnded as error:
            raise self._explained(error.returncode) from None
        except Unavailable as error:
            raise ParserUnavailable(str(error)) from error
        answer = msgspec.msgpack.decode(data, type=Answer)
        if answer.reason == "costly_feed":
            await self.kill()
        return answer

    def _explained(self, returncode: int | None) -> MoodwireError:
        """Why a process ended without an answer."""
        if returncode == -signal.SIGPROF:
            return _OverTime(f"parsing took over {self._limits.cpu_seconds:g} s of processor time")
        if returncode is not None and returncode < 0:
            return CostlyReject("costly_feed", f"the document ended its parser by signal {-returncode}")
        return ParserUnavailable(f"the parser process ended with {returncode}")
