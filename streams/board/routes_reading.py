"""The part of the table of routes that reads: items, series, alerts, the audit trail and models."""

from __future__ import annotations

from http import HTTPMethod, HTTPStatus
from typing import Final

from streams.board.handlers.alerts import get_alert, get_alerts, get_explanation
from streams.board.handlers.audit import get_audit
from streams.board.handlers.items import get_facets, get_item, get_items
from streams.board.handlers.models import get_models
from streams.board.handlers.series import get_heatmap, get_points, get_series
from streams.board.route import Route
from streams.board.shapes.alerts import Alert, AlertsQuery, AlertView, Explanation
from streams.board.shapes.audit import AuditEntry, AuditQuery
from streams.board.shapes.base import Page
from streams.board.shapes.items import Facets, FacetsQuery, Item, ItemsQuery, ItemWithRevisions
from streams.board.shapes.model import Models
from streams.board.shapes.series import Heatmap, HeatmapQuery, Points, PointsQuery, SeriesQuery, SeriesRow

__all__ = ["READING"]

_ITEMS: Final = (
    Route(
        method=HTTPMethod.GET,
        path="/v1/items",
        handler=get_items,
        summary="Search archived items, the newest first; story=one shows each story once",
        query=ItemsQuery,
        answer=Page[Item],
    ),
    Route(
        method=HTTPMethod.GET,
        path="/v1/items/facets",
        handler=get_facets,
        summary="Counts over the newest 2,000 items of a search",
        query=FacetsQuery,
        answer=Facets,
    ),
    Route(
        method=HTTPMethod.GET,
        path="/v1/items/{id}",
        handler=get_item,
        summary="One item with all its versions",
        answer=ItemWithRevisions,
        problems=(HTTPStatus.NOT_FOUND,),
    ),
)

_SERIES: Final = (
    Route(
        method=HTTPMethod.GET,
        path="/v1/series",
        handler=get_series,
        summary="Series against what was expected of them, the most surprising first",
        query=SeriesQuery,
        answer=Page[SeriesRow],
    ),
    Route(
        method=HTTPMethod.GET,
        path="/v1/series/{name}/points",
        handler=get_points,
        summary="A series over time, with its band and its alerts",
        query=PointsQuery,
        answer=Points,
        problems=(HTTPStatus.NOT_FOUND,),
    ),
    Route(
        method=HTTPMethod.GET,
        path="/v1/heatmap",
        handler=get_heatmap,
        summary="The series of a kind with the most hits, hour by hour",
        query=HeatmapQuery,
        answer=Heatmap,
    ),
)

_ALERTS: Final = (
    Route(
        method=HTTPMethod.GET,
        path="/v1/alerts",
        handler=get_alerts,
        summary="Alerts that are open, acknowledged, silenced or over, the latest onset first",
        query=AlertsQuery,
        answer=Page[Alert],
    ),
    Route(
        method=HTTPMethod.GET,
        path="/v1/alerts/{id}",
        handler=get_alert,
        summary="One alert with its timeline, and who was notified",
        answer=AlertView,
        problems=(HTTPStatus.NOT_FOUND,),
    ),
    Route(
        method=HTTPMethod.GET,
        path="/v1/alerts/{id}/explain",
        handler=get_explanation,
        summary="Why an alert opened: its own numbers, and every rule and window counted again",
        answer=Explanation,
        problems=(HTTPStatus.NOT_FOUND,),
    ),
)

_RECORDS: Final = (
    Route(
        method=HTTPMethod.GET,
        path="/v1/audit",
        handler=get_audit,
        summary="What people decided about alerts, the latest first",
        query=AuditQuery,
        answer=Page[AuditEntry],
    ),
    Route(
        method=HTTPMethod.GET,
        path="/v1/model",
        handler=get_models,
        summary="The versions of models, what each does now, and what the gate said",
        answer=Models,
    ),
)

READING: Final = (*_ITEMS, *_SERIES, *_ALERTS, *_RECORDS)
