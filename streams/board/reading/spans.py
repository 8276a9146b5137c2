"""The time that a question is about, and how far `watch` has closed it.

[since, closed)  hours that `watch` archived, with bands        [closed, until)  counted now, from the items
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from streams.archive.protocol import Archive, Query
from streams.board.problem import Mistake, Part, Problem
from streams.wall_clock import HOUR_MS

__all__ = ["Span", "hours_between", "span_of"]


@dataclass(frozen=True, slots=True)
class Span:
    """A time [since_ms, until_ms)."""

    since_ms: int
    until_ms: int

    @property
    def hours(self) -> list[int]:
        """The starts of the hours that it touches."""
        return list(range(self.since_ms // HOUR_MS * HOUR_MS, self.until_ms, HOUR_MS))


async def span_of(
    archive: Archive, since_ms: int | None, until_ms: int | None, length_ms: int, *, series: str = ""
) -> Span | None:
    """Returns the time that was asked for; what is left out ends behind the newest item, `length_ms` after its start.

    None where there is no item to end behind. Raises `Problem` 400 for a time that ends before it begins.
    """
    if until_ms is None:
        newest = await archive.search(Query(series=series, limit=1))
        if not newest and since_ms is None:
            return None
        until_ms = newest[0].item.news.seen_ms + 1 if newest else since_ms
    assert until_ms is not None  # above
    if since_ms is None:
        since_ms = max(until_ms - length_ms, 0)
    if since_ms > until_ms:
        raise _wrong("/since_ms", "the time ends before it begins; correct since_ms or until_ms")
    return Span(since_ms, until_ms)


def hours_between(span: Span, most: int) -> list[int]:
    """Returns the starts of the hours; raises `Problem` 400 where there are more than `most`."""
    if span.until_ms - span.since_ms > most * HOUR_MS:
        raise _wrong("/since_ms", f"the time is longer than {most} hours; ask for less of it")
    return span.hours


def _wrong(pointer: str, detail: str) -> Problem:
    mistake = Mistake(part=Part.QUERY, pointer=pointer, detail=detail)
    return Problem(HTTPStatus.BAD_REQUEST, f"the query cannot be used: {detail}", [mistake])
