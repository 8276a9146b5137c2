"""The board in a thread and an event loop of its own: what delays the pipeline's loop delays no request."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from streams.board.server import BoardServer
from streams.transport.loop_thread import LoopThread

__all__ = ["BoardThread"]


class BoardThread:
    """Serves while it is entered, from any loop: the board's own waits for nothing of it."""

    def __init__(self, server: BoardServer) -> None:
        self.server = server
        self._loop = LoopThread("moodwire-board")

    async def __aenter__(self) -> Self:
        """Raises what entering the server raises."""
        try:
            await asyncio.to_thread(self._loop.call, self.server.__aenter__)
        except BaseException:
            await asyncio.to_thread(self._loop.close)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._loop.call, lambda: self.server.__aexit__(kind, error, trace))
        await asyncio.to_thread(self._loop.close)
