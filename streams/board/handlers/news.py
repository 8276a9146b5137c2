"""`POST /v1/news`: news that a program pushes, answered once the broker has them."""

from __future__ import annotations

import asyncio
import hashlib
from http import HTTPStatus
from typing import Any, Final

from streams.board.acting import idempotency_key
from streams.board.context import Asked
from streams.board.problem import Problem
from streams.board.pushing import lines_of, pushed
from streams.board.shapes.base import NoQuery
from streams.board.shapes.news import LineStatus, PushResult
from streams.feeds.fieldmap import field_map_of
from streams.namespaces import Kind
from streams.transport.asking import ask

__all__ = ["post_news"]

_BODY_SECONDS: Final = 30.0


async def post_news(asked: Asked[NoQuery, None]) -> PushResult:
    """Returns a result for each line; the same answer again to a push of the same `Idempotency-Key`."""
    if asked.board.kind is Kind.REPLAY:
        raise Problem(
            HTTPStatus.CONFLICT,
            "this namespace is a replay, where event time follows the records of its files: push to a live one",
        )
    body = await _body(asked)
    key = idempotency_key(asked.http.headers)
    if not key:
        return await _pushed(asked, body)
    digest = hashlib.sha256(asked.http.content_type.encode() + b"\0" + body).digest()
    return await asked.board.live.pushes.once((asked.caller.name, key), digest, lambda: _pushed(asked, body))


async def _body(asked: Asked[Any, Any]) -> bytes:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await asked.http.read()
    except TimeoutError:
        detail = f"the body did not arrive within {_BODY_SECONDS:g} s; send less at once"
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, detail) from None


async def _pushed(asked: Asked[Any, Any], body: bytes) -> PushResult:
    """In a thread: lines are mapped and the broker is waited for."""
    lines = lines_of(asked.http.content_type, body)
    board, by, now_ms = asked.board, asked.caller.name, asked.now_ms

    def push() -> PushResult:
        found = pushed(lines, board.settings.topics, field_map_of(board.settings), by, now_ms)
        if found.sends:
            board.broker.append(found.sends)
        accepted = sum(one.status is LineStatus.ACCEPTED for one in found.results)
        return PushResult(results=found.results, accepted=accepted, refused=len(found.results) - accepted)

    return await ask(push, "push")
