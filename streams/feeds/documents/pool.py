"""The parser processes, seen from the pipeline: started when first needed, killed when they take too long."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

import streams
from streams.errors import MoodwireError, Reject
from streams.feeds.documents.document import MOST_ENTRIES, Document
from streams.feeds.documents.program import Answer, Request, frame

__all__ = ["DocumentParser", "ParserLimits", "ParserPool", "ParserUnavailable"]

_ROOT = str(Path(streams.__file__).parents[1])
_LENGTH = struct.Struct(">I")
_LARGEST_ANSWER = 64 * 1024 * 1024


class ParserUnavailable(MoodwireError):
    """No parser process could be started; the document is not to blame."""


class DocumentParser(Protocol):
    """Reads a feed's document somewhere else than in the event loop."""

    async def parse(self, body: bytes, headers: Mapping[str, str], url: str) -> Document:
        """Raises `Reject` for the document and `ParserUnavailable` for all else."""


@dataclass(frozen=True, slots=True)
class ParserLimits:
    """What one document may cost. 10 MiB of honest RSS take 0.5 s and 45 MB; broken ones 6 s and 120 MB.

    `seconds` is wall time, for a process that hangs; processor time does not depend on how busy the machine is.
    """

    cpu_seconds: float = 10.0
    seconds: float = 60.0
    memory_bytes: int = 512 << 20
    most_entries: int = MOST_ENTRIES


_LIMITS = ParserLimits()


class ParserPool:
    """Up to `workers` processes, shared by all feeds of an event loop. Use as an async context manager.

    One is enough for thousands of feeds: 30 entries take 1 ms of processor time. A process that was killed is replaced
    when it is next needed.
    """

    def __init__(self, limits: ParserLimits = _LIMITS, workers: int = 1) -> None:
        self._limits = limits
        self._all = [_Worker(limits) for _ in range(workers)]
        self._free: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self._all:
            self._free.put_nowait(worker)

    async def parse(self, body: bytes, headers: Mapping[str, str], url: str) -> Document:
        """Raises `Reject` (``unsafe_xml``, ``bad_feed``, ``costly_feed``) or `ParserUnavailable`."""
        limits = self._limits
        head = msgspec.json.encode(Request(headers, url, limits.cpu_seconds, limits.most_entries))
        worker = await self._free.get()
        try:
            answer = await worker.ask(frame(head) + frame(body))
        finally:
            self._free.put_nowait(worker)
        if answer.document is None:
            raise Reject(answer.reason, answer.detail)
        return answer.document

    async def __aenter__(self) -> ParserPool:
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._all:
            await worker.kill()


class _Worker:
    """One process, or none yet."""

    def __init__(self, limits: ParserLimits) -> None:
        self._limits = limits
        self._process: Process | None = None

    async def ask(self, request: bytes) -> Answer:
        """One question; a process that does not answer it is killed. Raises `Reject` or `ParserUnavailable`."""
        process = await self._started()
        try:
            async with asyncio.timeout(self._limits.seconds):
                answer = await _exchange(process, request)
        except TimeoutError:
            await self.kill()
            raise Reject("costly_feed", f"parsing took over {self._limits.seconds:g} s") from None
        except (OSError, asyncio.IncompleteReadError):
            raise self._explained(await self.kill()) from None
        except BaseException:
            await asyncio.shield(self.kill())  # cancelled: an answer to come would be taken for the next one's
            raise
        if answer.reason == "costly_feed":
            await self.kill()
        return answer

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _started(self) -> Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self.kill()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "streams.feeds.documents.program", str(self._limits.memory_bytes)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=_environment(),
            )
        except OSError as error:
            raise ParserUnavailable(f"the parser process cannot be started: {error}") from error
        return self._process

    def _explained(self, returncode: int | None) -> MoodwireError:
        """Why a process ended without an answer."""
        if returncode == -signal.SIGPROF:
            return Reject("costly_feed", f"parsing took over {self._limits.cpu_seconds:g} s of processor time")
        if returncode is not None and returncode < 0:
            return Reject("costly_feed", f"the document ended its parser by signal {-returncode}")
        return ParserUnavailable(f"the parser process ended with {returncode}")

    async def kill(self) -> int | None:
        """Ends the process and returns its exit code; one that has ended already keeps its own."""
        process, self._process = self._process, None
        if process is None:
            return None
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            if process.returncode is None and not await _ends(process):
                process.kill()
        return await process.wait()


async def _ends(process: Process) -> bool:
    """Whether it ends by itself: its pipes may break a moment before its exit code is known."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), 0.5)
    return process.returncode is not None


async def _exchange(process: Process, request: bytes) -> Answer:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    await process.stdin.drain()
    (size,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
    if size > _LARGEST_ANSWER:
        raise OSError("the answer is too large")
    return msgspec.msgpack.decode(await process.stdout.readexactly(size), type=Answer)


def _environment() -> dict[str, str]:
    """The environment without our settings: secrets have no business beside a hostile document."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOODWIRE_")}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, (_ROOT, kept.get("PYTHONPATH", ""))))}
