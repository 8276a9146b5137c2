"""`GET /v1/stream`: what changes, as server-sent events."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from streams.board.context import Asked, Board, Scope
from streams.board.entrance import credentials_of
from streams.board.handlers.status import status_of
from streams.board.live.sse import stream
from streams.board.problem import Problem
from streams.board.shapes.stream import StreamQuery
from streams.supervision import Beat

__all__ = ["get_stream", "report_status"]

_MOST_STREAMS: Final = 1_000
_STATUS_SECONDS: Final = 5.0


async def get_stream(asked: Asked[StreamQuery, None]) -> web.StreamResponse:
    """Streams until the client leaves, or does not read; raises `Problem` 503 where too many are open."""
    hub = asked.board.live.hub
    if hub.readers >= _MOST_STREAMS:
        detail = f"{_MOST_STREAMS:,} streams are open; close some, or start another board"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "10"})
    access, given = asked.board.access, credentials_of(asked.http)
    own = msgspec.json.encode({"scopes": sorted(asked.caller.scopes)})
    return await stream(
        asked.http, hub, asked.query.topics.split(","), own_status=own, check=lambda: access.caller(given, Scope.READ)
    )


async def report_status(board: Board, beat: Beat) -> None:
    """Reports the status to the streams, while there are any."""
    hub = board.live.hub
    while True:
        if hub.readers:
            status = msgspec.to_builtins(await status_of(board, (), board.clock()))
            hub.report_status(msgspec.json.encode({key: value for key, value in status.items() if key != "scopes"}))
            beat()
            await asyncio.sleep(_STATUS_SECONDS)
        else:
            await hub.joined()
