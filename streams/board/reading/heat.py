"""The heat map: the series with the most hits in a time, hour by hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streams.archive.protocol import Archive, Count, StoredHour
from streams.board.reading.movers import MOST_SERIES, Watched, closed_until, open_counts
from streams.board.reading.spans import Span
from streams.board.shapes.series import Cell
from streams.wall_clock import HOUR_MS

__all__ = ["heat_of"]


async def heat_of(
    archive: Archive, watched: Watched, span: Span, hours: Sequence[int], rows: int
) -> dict[str, list[Cell | None]]:
    """Returns the cells of each series, in the order of `hours`; None where there was no item.

    Of a time without archived hours, as before `watch` kept them, all is counted from the items.
    """
    closed_ms = await closed_until(archive, watched, span)
    totals: dict[str, tuple[int, int]] = {}
    cells: dict[tuple[str, int], Cell] = {}
    for kind in watched.kinds:
        for one in await archive.hour_sums(kind, watched.signal, span.since_ms, closed_ms, MOST_SERIES):
            totals[one.series] = one.hits, one.total
        for start_ms in range(closed_ms // HOUR_MS * HOUR_MS, span.until_ms, HOUR_MS):
            end_ms = min(start_ms + HOUR_MS, span.until_ms)
            counts = await open_counts(archive, watched, kind, max(start_ms, closed_ms), end_ms)
            cells |= {(name, start_ms): _counted(count) for name, count in counts.items()}
            _add(totals, counts)
    names = sorted(totals, key=lambda name: (*(-count for count in totals[name]), name))[:rows]
    stored = await archive.hours(names, watched.signal, span.since_ms, closed_ms) if names else []
    cells |= {(one.series, one.start_ms): _stored(one) for one in stored if one.total}
    return {name: [cells.get((name, start_ms)) for start_ms in hours] for name in names}


def _add(totals: dict[str, tuple[int, int]], counts: Mapping[str, Count]) -> None:
    for name, count in counts.items():
        hits, total = totals.get(name, (0, 0))
        totals[name] = hits + count.hits, total + count.total


def _counted(count: Count) -> Cell:
    return Cell(hits=count.hits, total=count.total, low=None, high=None)


def _stored(hour: StoredHour) -> Cell:
    return Cell(hits=hour.hits, total=hour.total, low=hour.low, high=hour.high)
