"""Calls that may never return: into a pipe that no program reads, a stopped terminal, a file of a server that is away.

    work ─► a daemon thread ─► its result, within the deadline
                   └─────────► TimeoutError; the work goes on, and what follows waits for its end

The threads of an executor are waited for when the process ends; a daemon thread is not.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import IO

__all__ = ["Aside", "write_all"]

Work = Callable[[], object]


class Aside:
    """Does work for an event loop, one call after the other, in a thread that starts with the first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[tuple[Work, Future[BaseException | None]]] = SimpleQueue()
        self._last: Future[BaseException | None] | None = None
        self._turn = asyncio.Lock()

    async def call(self, work: Work, within_seconds: float) -> None:
        """Returns once the work is done. Raises what it raises, and `TimeoutError` if it is not done in time.

        Work that cannot begin in time, since earlier work is not done, is not begun later.
        """
        async with asyncio.timeout(within_seconds), self._turn:
            if self._last is not None:
                await _end_of(self._last)
            error = await _end_of(self._begin(work))
        if error is not None:
            raise error

    def _begin(self, work: Work) -> Future[BaseException | None]:
        if self._last is None:
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()
        self._last = Future()
        self._calls.put((work, self._last))
        return self._last

    def _serve(self) -> None:
        while True:
            work, result = self._calls.get()
            try:
                work()
            except BaseException as error:  # it is the caller's, whatever it is, and the thread goes on
                result.set_result(error)
            else:
                result.set_result(None)


async def _end_of(result: Future[BaseException | None]) -> BaseException | None:
    waiting = asyncio.wrap_future(result)
    await asyncio.wait([waiting])  # a caller that is cancelled here cancels nothing
    return waiting.result()


def write_all(file: IO[str], text: str) -> None:
    """Writes the whole text; raises `OSError`.

    The bytes of a file with a descriptor go past its buffer: a thread that never returns from writing them holds no
    lock of the buffer, which Python needs when the process ends.
    """
    descriptor = _descriptor(file)
    if descriptor is None:
        file.write(text)
        file.flush()
        return
    left = memoryview(text.encode(getattr(file, "encoding", None) or "utf-8", "backslashreplace"))
    while left:
        left = left[os.write(descriptor, left) :]


def _descriptor(file: IO[str]) -> int | None:
    """None for a file in memory, or one that takes nothing."""
    try:
        descriptor = file.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return descriptor if descriptor >= 0 else None
