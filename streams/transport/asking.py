"""Asking what may not answer, in a thread that delays nothing else.

The event loop's own threads do the pipeline's work, and a process does not end before they have: a broker that
is away would take them one by one. A daemon thread may wait for ever.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

__all__ = ["ask"]

T = TypeVar("T")


async def ask(question: Callable[[], T], name: str) -> T:
    """What `question` returns or raises; cancelling leaves the thread to itself."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]  # there is no error, so there is a result

    def work() -> None:
        result, error = None, None
        try:
            result = question()
        except Exception as raised:  # the boundary of the thread: raised again where it was asked
            error = raised
        with suppress(RuntimeError):  # the loop has ended, and the caller with it
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name=f"ask {name}", daemon=True).start()
    return await answer
