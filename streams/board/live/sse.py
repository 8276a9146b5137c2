"""A stream of server-sent events to one client: written as far as the client reads, and closed where it does not.

hub ── take ──► write ──┬─► the client reads: on
                        ├─► not within `stall_seconds`: the connection is aborted
                        └─► nothing new for `heartbeat_seconds`: a comment, and the id up to which it knows all
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from streams.board.live.hub import FellBehind, Hub, Reader
from streams.board.problem import Problem
from streams.logs import get_logger

__all__ = ["TOPICS", "StreamLimits", "stream"]

log = get_logger(__name__)

TOPICS: Final = ("alerts", "items", "status")
"""What a stream may be of."""

_HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """`write_bytes` go to the connection at once: with its own buffer of 64 KiB that bounds a stream's memory."""

    heartbeat_seconds: float = 15.0
    stall_seconds: float = 10.0
    write_bytes: int = 64 << 10
    retry_ms: int = 2_000
    check_seconds: float = 1.0


_LIMITS: Final = StreamLimits()


async def stream(
    request: web.Request,
    hub: Hub,
    topics: Collection[str] = TOPICS,
    limits: StreamLimits = _LIMITS,
    own_status: bytes = b"",
    check: Callable[[], object] = bool,
) -> web.StreamResponse:
    """Answers with a stream that ends with its client or the hub. `Last-Event-ID` says where it goes on.

    `own_status` is a JSON object of fields that the status has for this client alone. `check` raises `Problem` when the
    client may read no longer: it is called at least every `check_seconds` in which something is written.
    """
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    with hub.reading(topics, request.headers.get("Last-Event-ID", ""), own_status) as reader:
        try:
            await _write(response, _opening(hub, reader, limits), limits)
            checked = time.monotonic()
            while not hub.closed:
                data = await _next(hub, reader, limits)
                if time.monotonic() - checked >= limits.check_seconds:
                    check()
                    checked = time.monotonic()
                await _write(response, data, limits)
        except Problem as problem:
            log.info("Stream closed", reason=problem.detail)
        except FellBehind:
            log.info("Stream closed", reason="its reader is behind what is kept")
        except TimeoutError:
            log.info("Stream closed", reason="its client does not read")
            _abort(request)
        except ConnectionError:
            pass  # the client left
    return response


def _opening(hub: Hub, reader: Reader, limits: StreamLimits) -> bytes:
    """How soon to reconnect, and for a reader from now on where that is."""
    opening = f"retry: {limits.retry_ms}\n"
    if reader.resync is None and not reader.since:
        opening += f"id: {hub.position_id}\n"
    return f"{opening}\n".encode()


async def _next(hub: Hub, reader: Reader, limits: StreamLimits) -> bytes:
    """What is written next; empty where the hub has woken the reader for nothing."""
    if found := hub.take(reader, limits.write_bytes):
        return found
    if await hub.grown(limits.heartbeat_seconds):
        return hub.take(reader, limits.write_bytes)
    return f": heartbeat\nid: {hub.position_id}\n\n".encode()


async def _write(response: web.StreamResponse, data: bytes, limits: StreamLimits) -> None:
    if data:
        async with asyncio.timeout(limits.stall_seconds):
            await response.write(data)


def _abort(request: web.Request) -> None:
    """A client that does not read would not read the end either."""
    if request.transport is not None:
        request.transport.abort()
