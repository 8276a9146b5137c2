"""The one table of routes: it registers them, checks what is sent, and makes the OpenAPI document."""

from __future__ import annotations

from http import HTTPMethod
from typing import Final

from streams.board.handlers.status import get_status
from streams.board.route import Route
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

ROUTES: Final = (*_STATUS,)
