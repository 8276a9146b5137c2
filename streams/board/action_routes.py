"""The lines of the table that change something, and the stream."""

from __future__ import annotations

from http import HTTPMethod, HTTPStatus
from typing import Any, Final

from streams.board.context import Scope
from streams.board.handlers import arrangements, decisions
from streams.board.handlers.feedback import post_feedback
from streams.board.handlers.news import post_news
from streams.board.handlers.promotion import post_promotion
from streams.board.handlers.stream import get_stream
from streams.board.pushing import PUSH_TYPES
from streams.board.route import Route
from streams.board.shapes.alerts import Acknowledge, Assign, Decided, NoteText, Verdict
from streams.board.shapes.arrangements import (
    MakeSilence,
    Matchers,
    PutSubscription,
    Silence,
    SilencePreview,
    Subscription,
    Watchlist,
)
from streams.board.shapes.base import Page
from streams.board.shapes.items import Feedback, Received
from streams.board.shapes.news import PushResult
from streams.board.shapes.promotion import Promote, Promoted
from streams.board.shapes.stream import StreamQuery

__all__ = ["ACTIONS"]

_DECIDED: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
_SEEN: Final = (*_DECIDED, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED)
"""Of a decision that names the version that was seen, in If-Match."""

_KEY: Final = {"Idempotency-Key": "names the request: sent again under it, it is done once and answered alike"}
_MATCH: Final = {"If-Match": 'the version that was seen: "VERSION"; * for any'} | _KEY
_MATCH_OR_NEW: Final = _MATCH | {"If-None-Match": "* makes a new one, and replaces none"}


def _decision(
    method: HTTPMethod, path: str, handler: Any, summary: str, body: Any = None, scope: Scope = Scope.ACT
) -> Route:
    return Route(
        method=method,
        path=path,
        handler=handler,
        summary=summary,
        body=body,
        answer=Decided,
        scope=scope,
        problems=_SEEN,
        headers=_MATCH_OR_NEW if method is HTTPMethod.PUT else _MATCH,
    )


_ALERTS: Final = (
    _decision(
        HTTPMethod.POST,
        "/v1/alerts/{id}/acknowledge",
        decisions.acknowledge,
        "Look after an alert: no reminder and no escalation for a time",
        Acknowledge,
    ),
    _decision(
        HTTPMethod.DELETE,
        "/v1/alerts/{id}/acknowledge",
        decisions.unacknowledge,
        "End an acknowledgement: reminders and escalation begin again",
    ),
    _decision(HTTPMethod.POST, "/v1/alerts/{id}/assign", decisions.assign, "Assign an alert to a person", Assign),
    _decision(HTTPMethod.POST, "/v1/alerts/{id}/note", decisions.add_note, "Add a note to an alert", NoteText),
    _decision(
        HTTPMethod.POST,
        "/v1/alerts/{id}/verdict",
        decisions.give_verdict,
        "Say what an alert was worth; kept in the audit trail",
        Verdict,
    ),
)

_ARRANGEMENTS: Final = (
    Route(
        method=HTTPMethod.GET,
        path="/v1/silences",
        handler=arrangements.get_silences,
        summary="Silences and maintenance windows that are not over",
        answer=Page[Silence],
    ),
    Route(
        method=HTTPMethod.POST,
        path="/v1/silences",
        handler=arrangements.post_silence,
        summary="Silence alerts that match, or plan a maintenance window",
        body=MakeSilence,
        answer=Decided,
        scope=Scope.ACT,
        problems=_DECIDED,
        headers=_KEY,
    ),
    Route(
        method=HTTPMethod.POST,
        path="/v1/silences/preview",
        handler=arrangements.preview_silence,
        summary="The firing alerts that a silence would be about",
        body=Matchers,
        answer=SilencePreview,
    ),
    _decision(HTTPMethod.DELETE, "/v1/silences/{id}", arrangements.delete_silence, "End a silence now"),
    Route(
        method=HTTPMethod.GET,
        path="/v1/subscriptions",
        handler=arrangements.get_subscriptions,
        summary="What people want to be sent",
        answer=Page[Subscription],
    ),
    _decision(
        HTTPMethod.PUT,
        "/v1/subscriptions/{name}",
        arrangements.put_subscription,
        "Make a subscription, or replace the one of this name",
        PutSubscription,
        Scope.ADMIN,
    ),
    _decision(
        HTTPMethod.DELETE,
        "/v1/subscriptions/{name}",
        arrangements.delete_subscription,
        "End a subscription",
        scope=Scope.ADMIN,
    ),
    Route(
        method=HTTPMethod.GET,
        path="/v1/watchlists",
        handler=arrangements.get_watchlists,
        summary="Watchlists of the settings' file, and those that people made",
        answer=Page[Watchlist],
    ),
    _decision(
        HTTPMethod.PUT,
        "/v1/watchlists/{name}",
        arrangements.put_watchlist,
        "Make a watchlist, or replace the one of this name, while workers run",
        dict[str, Any],
        Scope.ADMIN,
    ),
    _decision(
        HTTPMethod.DELETE,
        "/v1/watchlists/{name}",
        arrangements.delete_watchlist,
        "Stop watching a watchlist that people made",
        scope=Scope.ADMIN,
    ),
)

_OTHERS: Final = (
    Route(
        method=HTTPMethod.POST,
        path="/v1/items/{id}/feedback",
        handler=post_feedback,
        summary="Correct a label of an item, or of a company in it",
        body=Feedback,
        answer=Received,
        scope=Scope.ACT,
        status=HTTPStatus.ACCEPTED,
        problems=(HTTPStatus.NOT_FOUND,),
    ),
    Route(
        method=HTTPMethod.POST,
        path="/v1/news",
        handler=post_news,
        summary="Push news: an item, an array of items, or an item a line; answered once the broker has them",
        answer=PushResult,
        scope=Scope.PUSH,
        reads=PUSH_TYPES,
        headers=_KEY,
        problems=(HTTPStatus.CONFLICT,),
    ),
    Route(
        method=HTTPMethod.POST,
        path="/v1/model/promote",
        handler=post_promotion,
        summary="Put a version of a model into service, if the gate passed it",
        body=Promote,
        answer=Promoted,
        scope=Scope.ADMIN,
        problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
    Route(
        method=HTTPMethod.GET,
        path="/v1/stream",
        handler=get_stream,
        summary="What changes, as server-sent events: item, alert, status, skipped, resync",
        query=StreamQuery,
        answer=str,
        media="text/event-stream",
        headers={"Last-Event-ID": "the id of the last event that was read: the stream goes on behind it"},
    ),
)

ACTIONS: Final = (*_ALERTS, *_ARRANGEMENTS, *_OTHERS)
