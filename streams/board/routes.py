"""The one table of routes: it registers them, checks what is sent, and makes the OpenAPI document."""

from __future__ import annotations

from http import HTTPMethod, HTTPStatus
from typing import Final

from streams.board.action_routes import ACTIONS
from streams.board.handlers.session import log_in, log_out
from streams.board.handlers.status import get_status
from streams.board.route import Route
from streams.board.routes_reading import READING
from streams.board.shapes.session import Login
from streams.board.shapes.status import Status

__all__ = ["ROUTES"]

_STATUS: Final = (
    Route(
        method=HTTPMethod.GET,
        path="/v1/status",
        handler=get_status,
        summary="What the stream holds now, what is wrong, and what the caller may do",
        answer=Status,
    ),
)

_SESSION: Final = (
    Route(
        method=HTTPMethod.POST,
        path="/login",
        handler=log_in,
        summary="Exchange a token for the cookie of the page",
        answer=None,
        body=Login,
        scope=None,
        status=HTTPStatus.NO_CONTENT,
        problems=(HTTPStatus.UNAUTHORIZED,),
    ),
    Route(
        method=HTTPMethod.POST,
        path="/logout",
        handler=log_out,
        summary="End the cookie of the page",
        answer=None,
        scope=None,
        status=HTTPStatus.NO_CONTENT,
    ),
)

ROUTES: Final = (*_STATUS, *_SESSION, *READING, *ACTIONS)
