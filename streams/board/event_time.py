"""Now, in the time of alerts: in a replay that is where its news has come to, not the machine's clock."""

from __future__ import annotations

from streams.board.context import Board
from streams.board.reading.mood import newest_ms
from streams.namespaces import Kind

__all__ = ["event_ms"]


async def event_ms(board: Board, now_ms: int) -> int:
    """Returns `now_ms` where news is live; in a replay the time of the judge's last tick, or of the newest item."""
    if board.kind is not Kind.REPLAY:
        return now_ms
    newest, ticked = await newest_ms(board.archive), (await board.live.state()).now_ms
    return max(newest + 1, ticked) if newest is not None else ticked or now_ms
