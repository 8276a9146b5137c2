"""What a key names is done once: who sends it again gets the same answer, also while the first one is at work."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, Generic, TypeVar

from streams.board.problem import Problem

__all__ = ["Once"]

T = TypeVar("T")

_KEPT: Final = 1_000


class Once(Generic[T]):
    """The answers of the last keys, in memory; what failed may be tried again."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._known: OrderedDict[tuple[str, str], tuple[bytes, asyncio.Task[T]]] = OrderedDict()

    async def once(self, key: tuple[str, str], digest: bytes, work: Callable[[], Awaitable[T]]) -> T:
        """Returns what `work` returned for the key of this caller. `digest` is that of the request.

        Raises `Problem` 422 where the key was used for another request.
        """
        known = self._known.get(key)
        if known is None or _failed(known[1]):
            known = self._known[key] = digest, asyncio.ensure_future(_of(work))
            self._known.move_to_end(key)
            while len(self._known) > self._kept:
                self._known.popitem(last=False)
        elif known[0] != digest:
            detail = "this Idempotency-Key was used for another body; take a new key for a new request"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
        return await asyncio.shield(known[1])  # a client that leaves ends no push that another one waits for


async def _of(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


def _failed(task: asyncio.Task[object]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
