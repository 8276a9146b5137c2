"""A stream of server-sent events as a client sees it, and a server that serves one hub."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, ClientTimeout, web

from streams.board.live.hub import Hub
from streams.board.live.sse import StreamLimits, stream

__all__ = ["Heard", "Listener", "listening", "serving"]

WAIT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Heard:
    name: str
    id: str
    data: Any


@dataclass
class Listener:
    """One open stream. `comments` counts heartbeats; `last_id` is what a reconnect would send."""

    content: Any
    headers: Any
    last_id: str = ""
    comments: int = 0
    _name: str = field(default="", repr=False)

    async def next(self) -> Heard:
        """The next event; raises `EOFError` at the stream's end."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                fields = await self.block()
                if "data" in fields:
                    return Heard(fields["event"], self.last_id, json.loads(fields["data"]))

    async def events(self, count: int) -> list[Heard]:
        return [await self.next() for _ in range(count)]

    async def heartbeat(self) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            before = self.comments
            while self.comments == before:
                await self.block()

    async def block(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        while line := (await self.content.readline()).decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
            else:
                self.comments += 1
        if not fields and self.content.at_eof():
            raise EOFError
        self.last_id = fields.get("id", self.last_id)
        return fields


@asynccontextmanager
async def serving(hub: Hub, limits: StreamLimits | None = None) -> AsyncIterator[str]:
    """The address of a stream of the hub; `?topics=` says of what."""

    async def answer(request: web.Request) -> web.StreamResponse:
        topics = request.query.get("topics", "alerts,items,status").split(",")
        return await stream(request, hub, topics, limits or StreamLimits())

    app = web.Application()
    app.router.add_get("/stream", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/stream"
    finally:
        hub.close()
        await runner.cleanup()


@asynccontextmanager
async def listening(url: str, last_id: str = "", **headers: str) -> AsyncIterator[Listener]:
    """A client of the stream, from `last_id` on."""
    if last_id:
        headers["Last-Event-ID"] = last_id
    timeout = ClientTimeout(total=None, sock_connect=WAIT_SECONDS)
    async with ClientSession(timeout=timeout) as session, session.get(url, headers=headers) as response:
        assert response.status == 200, await response.text()
        yield Listener(response.content, response.headers, last_id)
