"""`/v1/series` and `/v1/heatmap`: movers, points over time, and the heat map."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from streams.board.context import Asked, Board
from streams.board.cursors import cursor_of, place_of
from streams.board.problem import Mistake, Part, Problem
from streams.board.reading.heat import heat_of
from streams.board.reading.labels import Labels, load_labels
from streams.board.reading.mood import everything
from streams.board.reading.movers import Moved, Watched, moved_in
from streams.board.reading.points import MOST_POINTS, alert_spans, default_bucket_ms, points_of
from streams.board.reading.spans import Span, hours_between, span_of
from streams.board.shapes.base import Page
from streams.board.shapes.series import (
    Heatmap,
    HeatmapQuery,
    HeatmapRow,
    Newest,
    Points,
    PointsQuery,
    SeriesQuery,
    SeriesRow,
)
from streams.jobs.alert_search import OPEN
from streams.records import Scored
from streams.text.heads import Of
from streams.userfiles import suggestion
from streams.wall_clock import DAY_MS, HOUR_MS

__all__ = ["get_heatmap", "get_points", "get_series"]

_MOST_HOURS: Final = 31 * 24
_HEAT_HOURS: Final = 7 * 24
_MOST_OPEN: Final = 10_000


async def get_series(asked: Asked[SeriesQuery, None]) -> Page[SeriesRow]:
    """Returns the series that had items in the time, the most surprising first, with their newest items."""
    board, query = asked.board, asked.query
    first = place_of(query, query.cursor, int) or 0
    span = await _whole_hours(board, query.since_ms, query.until_ms)
    if span is None:
        return Page(items=[])
    hours_between(span, _MOST_HOURS)
    watched = _watched(board, query.kind, query.signal)
    labels = await load_labels(board.profile, board.settings.gazetteer)
    found = [one for one in await moved_in(board.archive, watched, span) if labels.has(one.series, query.q)]
    shown = found[first : first + query.limit]
    newest = await board.archive.newest_of([one.series for one in shown], span.since_ms, span.until_ms)
    opened = await _open_alerts(board, watched.signal)
    rows = [_row(one, watched.signal, labels, newest.get(one.series), opened.get(one.series)) for one in shown]
    last = first + query.limit
    return Page(items=rows, next=cursor_of(query, last) if last < len(found) else None)


def _row(moved: Moved, signal: str, labels: Labels, newest: Scored | None, alert: str | None) -> SeriesRow:
    band = moved.band
    return SeriesRow(
        name=moved.series,
        kind=moved.series.partition("/")[0],
        label=labels.of(moved.series),
        signal=signal,
        hits=moved.hits,
        total=moved.total,
        expected=band.expected if band else None,
        low=band.low if band else None,
        high=band.high if band else None,
        surprise=moved.surprise,
        newest=_newest(newest) if newest is not None else None,
        open_alert=alert,
    )


def _newest(item: Scored) -> Newest:
    news = item.news
    return Newest(id=news.id, title=news.title, source=news.source, seen_ms=max(news.seen_ms, 0))


async def _open_alerts(board: Board, signal: str) -> Mapping[str, str]:
    """By series the id of its open alert of the latest onset."""
    found: dict[str, tuple[int, str]] = {}
    for state in OPEN:
        for one in await board.archive.alerts(state=state, limit=_MOST_OPEN):
            if one.signal == signal:
                found[one.series] = max(found.get(one.series, (0, "")), (one.onset_ms, one.id))
    return {series: alert for series, (_, alert) in found.items()}


async def get_points(asked: Asked[PointsQuery, None]) -> Points:
    """Returns a series over time with its band and alerts; raises `Problem` 404 for a series without items."""
    board, query, name = asked.board, asked.query, asked.path["name"]
    span = await span_of(board.archive, query.since_ms, query.until_ms, 7 * DAY_MS, series=name)
    if span is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"the archive has no item of the series {name!r}; /v1/series lists some")
    signal = _signal(board, query.signal)
    bucket_ms = query.bucket_ms or default_bucket_ms(span)
    _check_bucket(span, bucket_ms)
    points = await points_of(board.archive, name, everything(board.profile), signal, span, bucket_ms)
    alerts = await alert_spans(board.archive, name, signal, span)
    labels = await load_labels(board.profile, board.settings.gazetteer)
    return Points(
        name=name,
        kind=name.partition("/")[0],
        label=labels.of(name),
        signal=signal,
        bucket_ms=bucket_ms,
        points=points,
        alerts=alerts,
    )


def _check_bucket(span: Span, bucket_ms: int) -> None:
    if bucket_ms > HOUR_MS and bucket_ms % HOUR_MS:
        raise _wrong("bucket_ms", f"{bucket_ms} is no whole number of hours; above an hour take one")
    if (span.until_ms - span.since_ms) // bucket_ms > MOST_POINTS:
        raise _wrong("bucket_ms", f"{bucket_ms} makes more than {MOST_POINTS} points of this time; take a longer one")


async def get_heatmap(asked: Asked[HeatmapQuery, None]) -> Heatmap:
    """Returns the series with the most hits, hour by hour; companies where no kind is named."""
    board, query = asked.board, asked.query
    span = await _whole_hours(board, query.since_ms, query.until_ms)
    if span is None:
        return Heatmap(hours=[], rows=[])
    hours = hours_between(span, _HEAT_HOURS)
    watched = _watched(board, query.kind or _entities(board), query.signal)
    labels = await load_labels(board.profile, board.settings.gazetteer)
    found = await heat_of(board.archive, watched, span, hours, query.rows)
    return Heatmap(
        hours=hours,
        rows=[HeatmapRow(name=name, label=labels.of(name), cells=cells) for name, cells in found.items()],
    )


async def _whole_hours(board: Board, since_ms: int | None, until_ms: int | None) -> Span | None:
    """The time, a day before the newest item by default, from the beginning of an hour on."""
    span = await span_of(board.archive, since_ms, until_ms, DAY_MS)
    return None if span is None else Span(span.since_ms // HOUR_MS * HOUR_MS, span.until_ms)


def _entities(board: Board) -> str:
    kinds = board.profile.series.items()
    return next((name for name, kind in kinds if kind.of is Of.ENTITIES), next(iter(board.profile.series)))


def _watched(board: Board, kind: str, signal: str) -> Watched:
    known = board.profile.series
    if kind and kind not in known:
        raise _wrong("kind", f"there is no kind {kind!r}; {suggestion(kind, known)}")
    return Watched([kind] if kind else list(known), _signal(board, signal), everything(board.profile))


def _signal(board: Board, signal: str) -> str:
    known = board.profile.signals
    if signal and signal not in known:
        raise _wrong("signal", f"there is no signal {signal!r}; {suggestion(signal, known)}")
    return signal or board.config.signals[0]


def _wrong(key: str, detail: str) -> Problem:
    mistake = Mistake(part=Part.QUERY, pointer=f"/{key}", detail=detail)
    return Problem(HTTPStatus.BAD_REQUEST, f"the query cannot be used: {detail}", [mistake])
