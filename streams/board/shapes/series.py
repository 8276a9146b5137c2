"""Series: movers, points over time, and the heat map."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.board.shapes.base import Count, Cursor, Limit, TimeMs

__all__ = [
    "AlertSpan", "Cell", "Heatmap", "HeatmapQuery", "HeatmapRow", "Newest", "Point", "Points", "PointsQuery",
    "SeriesQuery", "SeriesRow",
]  # fmt: skip

_Signal = Annotated[str, Meta(max_length=100, description="whose hits; by default the first that is watched")]
_Kind = Annotated[str, Meta(max_length=100, description="kind of series, such as entity")]


class SeriesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which series; `q` is part of a name. By default the 24 hours before the newest item."""

    kind: _Kind = ""
    signal: _Signal = ""
    q: Annotated[str, Meta(max_length=200)] = ""
    since_ms: TimeMs | None = None
    until_ms: TimeMs | None = None
    limit: Limit = 50
    cursor: Cursor = ""


class Newest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest item of a series."""

    id: str
    title: str
    source: str
    seen_ms: TimeMs


class SeriesRow(msgspec.Struct, frozen=True, kw_only=True):
    """A series in the time asked for: its hits against what was expected.

    `expected`, `low` and `high` are null without enough history. `surprise` grows with how unlikely the hits are.
    """

    name: str
    kind: str
    label: str
    signal: str
    hits: Count
    total: Count
    expected: float | None
    low: float | None
    high: float | None
    surprise: float
    newest: Newest | None
    open_alert: str | None


class PointsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which span, by default the 7 days before the series' newest item, and how long a bucket is."""

    signal: _Signal = ""
    since_ms: TimeMs | None = None
    until_ms: TimeMs | None = None
    bucket_ms: Annotated[int, Meta(ge=60_000, le=86_400_000)] | None = None


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """Items of [start_ms, start_ms + bucket_ms), how many hit the signal, and how many were expected to."""

    start_ms: TimeMs
    total: Count
    hits: Count
    expected: float | None
    low: float | None
    high: float | None


class AlertSpan(msgspec.Struct, frozen=True, kw_only=True):
    """When an alert of the series was open; `end_ms` is null while it is."""

    id: str
    severity: str
    state: str
    onset_ms: TimeMs
    end_ms: TimeMs | None


class Points(msgspec.Struct, frozen=True, kw_only=True):
    """A series over time; `label` is what people call it."""

    name: str
    kind: str
    label: str
    signal: str
    bucket_ms: Count
    points: list[Point]
    alerts: list[AlertSpan]


class HeatmapQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which kind of series, how many rows; by default the 24 hours before the newest item."""

    kind: _Kind = ""
    signal: _Signal = ""
    since_ms: TimeMs | None = None
    until_ms: TimeMs | None = None
    rows: Annotated[int, Meta(ge=1, le=100)] = 10


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """An hour of a series."""

    hits: Count
    total: Count
    low: float | None
    high: float | None


class HeatmapRow(msgspec.Struct, frozen=True, kw_only=True):
    """A series; a cell without items is null."""

    name: str
    label: str
    cells: list[Cell | None]


class Heatmap(msgspec.Struct, frozen=True, kw_only=True):
    """Series by hour; `hours` are the starts of the columns."""

    hours: list[TimeMs]
    rows: list[HeatmapRow]
