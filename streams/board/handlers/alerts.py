"""`/v1/alerts`: lists, one with all that happened to it, and why it fired."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Final

from alerts import AlertEvent
from streams.archive.protocol import StoredAlert
from streams.board.acting import etag
from streams.board.context import Answer, Asked, Board
from streams.board.cursors import cursor_of, place_of
from streams.board.event_time import event_ms
from streams.board.problem import Problem
from streams.board.reading.alert_shapes import (
    alert_fields,
    headlines_of,
    inhibitor_of,
    last_days,
    look_of,
    notified_of,
    timeline_of,
    verdicts_of,
)
from streams.board.reading.alerts import Known, Place, find_alerts, headlines_at_height, known_alerts
from streams.board.reading.labels import load_labels
from streams.board.reading.silences import silences_of
from streams.board.shapes.alerts import Alert, AlertsQuery, AlertView, Explanation
from streams.board.shapes.base import NoQuery, Page

__all__ = ["get_alert", "get_alerts", "get_explanation", "shown_alerts"]

_MOST_ENTRIES: Final = 1_000
_MOST_GROUPS: Final = 20


async def get_alerts(asked: Asked[AlertsQuery, None]) -> Page[Alert]:
    """Returns a page of alerts, in the order of `find_alerts`."""
    board, query = asked.board, asked.query
    now_ms = await event_ms(board, asked.now_ms)
    found, place = await find_alerts(board.archive, query, now_ms, place_of(query, query.cursor, Place))
    following = cursor_of(query, place) if place is not None else None
    return Page(items=await shown_alerts(board, found, now_ms), next=following)


async def shown_alerts(board: Board, alerts: list[Known], now_ms: int) -> list[Alert]:
    """Returns alerts as lists show them; `now_ms` is in the time of alerts."""
    labels = await load_labels(board.profile, board.settings.gazetteer)
    days = await last_days(board.archive, alerts, now_ms)
    wording = board.config.wording
    return [Alert(**alert_fields(one, labels, wording, days[one.event.id])) for one in alerts]


async def get_alert(asked: Asked[NoQuery, None]) -> Answer:
    """Returns an alert with its timeline and notifications, and its version as `ETag`; raises `Problem` 404."""
    board, archive = asked.board, asked.board.archive
    history = await _history(board, asked.path["id"])
    now_ms = await event_ms(board, asked.now_ms)
    [last] = await known_alerts(archive, history[-1:], now_ms)
    known = replace(last, event=headlines_at_height(last.event, history))
    first = AlertEvent.from_json(history[0].body)
    alert_id, groups = known.event.id, [*known.row.groups, *reversed(known.row.past_groups)][:_MOST_GROUPS]
    decisions = await archive.decisions(target=alert_id, limit=_MOST_ENTRIES)
    sent = [
        row
        for name in dict.fromkeys([alert_id, *groups])
        for row in await archive.notifications(alert_id=name, limit=100)
    ]
    labels = await load_labels(board.profile, board.settings.gazetteer)
    days = await last_days(archive, [known], now_ms)
    wording = board.config.wording
    view = AlertView(
        **alert_fields(known, labels, wording, days[alert_id]),
        opened=look_of(first),
        opening_headlines=headlines_of(first),
        silences=silences_of(known.row, (await board.live.state()).mutes.values(), labels, now_ms),
        inhibited_by=await inhibitor_of(archive, known, labels),
        your_verdict=verdicts_of(decisions).get(asked.caller.name),
        timeline=timeline_of(history[-_MOST_ENTRIES:], decisions, wording),
        notified=notified_of(sent),
    )
    return Answer(view, headers={"ETag": etag(known.version)})


async def get_explanation(asked: Asked[NoQuery, None]) -> Explanation:
    """Returns why an alert opened; raises `Problem` 404."""
    history = await _history(asked.board, asked.path["id"])
    return await asked.board.explainer.explain(AlertEvent.from_json(history[0].body))


async def _history(board: Board, alert_id: str) -> list[StoredAlert]:
    history = await board.archive.alert_history(alert_id)
    if not history:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no alert {alert_id!r}; /v1/alerts lists them")
    return history
