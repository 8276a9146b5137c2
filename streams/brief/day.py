"""Which time a brief is of, where none is named."""

from __future__ import annotations

from streams.archive.protocol import Archive, Query
from streams.board.reading.mood import newest_ms
from streams.board.reading.spans import Span
from streams.errors import MoodwireError
from streams.wall_clock import DAY_MS, HOUR_MS

__all__ = ["last_whole_day"]

_QUIET_MS = HOUR_MS
"""A day that is over is whole if its last hour has an item."""


async def last_whole_day(archive: Archive, now_ms: int) -> Span:
    """Returns the last UTC day that the archive holds to its end; that of the newest item if no earlier one has items.

    Raises `MoodwireError` for an archive without items.
    """
    newest = await newest_ms(archive)
    if newest is None:
        raise MoodwireError("the archive has no items yet; name the time with --from and --to, or run or replay first")
    start_ms = newest // DAY_MS * DAY_MS
    end_ms = start_ms + DAY_MS
    today = Span(start_ms, end_ms)
    if end_ms <= now_ms and newest >= end_ms - _QUIET_MS:
        return today
    before = Span(start_ms - DAY_MS, start_ms)
    return before if await _has_items(archive, before) else today


async def _has_items(archive: Archive, span: Span) -> bool:
    return bool(await archive.search(Query(since_ms=span.since_ms, until_ms=span.until_ms, limit=1)))
