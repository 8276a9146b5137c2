"""A process for work that may take for ever: asked by a pipe, one question at a time, killed when it is late.

    ask ── 4 bytes of length and a frame, for each part ──► program ── 4 bytes of length, the answer ──► ask

The program limits itself (`limit_process`, `limit_time`): memory by the kernel, processor time by a timer whose signal
ends the process even while it is in C code. It ends with its standard input, so it outlives no parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import BinaryIO

import streams
from streams.errors import MoodwireError

__all__ = [
    "OverTime",
    "Unavailable",
    "WorkerEnded",
    "WorkerProcess",
    "frame",
    "limit_process",
    "limit_time",
    "read_frame",
]

_ROOT = str(Path(streams.__file__).parents[1])
_LENGTH = struct.Struct(">I")
_LARGEST_ANSWER = 64 * 1024 * 1024


class Unavailable(MoodwireError):
    """The process cannot be started; the question is not to blame."""


class OverTime(MoodwireError):
    """It gave no answer in time, and was killed."""


class WorkerEnded(MoodwireError):
    """It ended without an answer; `returncode` is its exit code, below 0 the signal that ended it."""

    def __init__(self, returncode: int | None) -> None:
        super().__init__(f"the process ended with {returncode}")
        self.returncode = returncode


class WorkerProcess:
    """One process that runs `module` with `arguments`, or none yet; it is started when it is first asked.

    `seconds` is the wall time of an answer, for a process that hangs.
    """

    def __init__(self, module: str, *arguments: str, seconds: float) -> None:
        self._arguments = ("-P", "-m", module, *arguments)
        self._seconds = seconds
        self._process: Process | None = None

    async def ask(self, *parts: bytes) -> bytes:
        """Returns the answer to one question. Raises `OverTime`, `WorkerEnded` or `Unavailable`."""
        process = await self._started()
        try:
            async with asyncio.timeout(self._seconds):
                return await _exchange(process, b"".join(map(frame, parts)))
        except TimeoutError:
            await self.kill()
            raise OverTime(f"no answer in {self._seconds:g} s") from None
        except (OSError, asyncio.IncompleteReadError):
            raise WorkerEnded(await self.kill()) from None
        except BaseException:
            await asyncio.shield(self.kill())  # cancelled: an answer to come would be taken for the next one's
            raise

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _started(self) -> Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self.kill()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *self._arguments, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=_environment()
            )
        except OSError as error:
            raise Unavailable(f"the process cannot be started: {error}") from error
        return self._process

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


async def _exchange(process: Process, request: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    await process.stdin.drain()
    (size,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
    if size > _LARGEST_ANSWER:
        raise OSError("the answer is too large")
    return await process.stdout.readexactly(size)


def _environment() -> dict[str, str]:
    """The environment without our settings: secrets have no business beside what may be hostile."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOODWIRE_")}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, (_ROOT, kept.get("PYTHONPATH", ""))))}


# -- for the program


def limit_process(memory_bytes: int) -> None:
    """Bounds the memory of this process, and leaves Ctrl-C to the parent, which closes our input."""
    for kind, limit in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # a lower limit is in force already, or macOS has none
            resource.setrlimit(kind, (limit, limit))
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def limit_time(cpu_seconds: float) -> None:
    """The process ends after so much more processor time (SIGPROF has no handler); 0: it does not."""
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)


def frame(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


def read_frame(stream: BinaryIO) -> bytes | None:
    """One frame; None at the end."""
    length = stream.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(length)
    data = stream.read(size)
    return data if len(data) == size else None
