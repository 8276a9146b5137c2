"""Now, in the time of alerts: in a replay that is where its news has come to, not the machine's clock."""

from __future__ import annotations

from streams.board.context import Board
from streams.board.reading.mood import newest_ms
from streams.jobs.judge_state import JudgeState
from streams.namespaces import Kind

__all__ = ["event_ms", "event_time"]


async def event_ms(board: Board, now_ms: int) -> int:
    """Returns `now_ms` where news is live; in a replay the time of the judge's last tick, or of the newest item."""
    if board.kind is not Kind.REPLAY:
        return now_ms
    return event_time(board.kind, await board.live.state(), await newest_ms(board.archive), now_ms)


def event_time(kind: Kind, state: JudgeState, newest: int | None, now_ms: int) -> int:
    """Returns the same of what is known already; `newest` is when the newest item was seen, None without items."""
    if kind is Kind.REPLAY and newest is not None:
        return max(newest + 1, state.now_ms)
    return state.event_ms(kind, now_ms)
