"""A proxy in front of Elasticsearch that refuses, dawdles, or loses answers, as it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web

__all__ = ["Gate", "running_gate"]

LARGEST_REQUEST_BYTES = 100 << 20
HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "content-encoding"}


class Gate:
    """What the proxy does with each request; tests set it from their own thread.

    `status`: answered instead of being passed on. `delay_seconds`: between Elasticsearch's answer and ours.
    `loses`: passed on, and the connection closed instead of an answer. `passed`, `refused`, `lost` count.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.status: int | None = None
        self.delay_seconds = 0.0
        self.loses = False
        self.passed = self.refused = self.lost = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.status is not None:
            self.refused += 1
            return web.json_response({"error": {"type": "too_busy", "reason": "told to"}}, status=self.status)
        body = await request.read()
        status, headers, answer = await self._pass_on(request, body)
        if self.loses:
            self.lost += 1
            assert request.transport is not None
            request.transport.close()
        await asyncio.sleep(self.delay_seconds)  # what this proxy is for
        self.passed += 1
        return web.Response(body=answer, status=status, headers=headers)

    async def _pass_on(self, request: web.Request, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        if encoding := request.headers.get("Content-Encoding"):
            headers["Content-Encoding"] = encoding
        session = request.app[SESSION]
        async with session.request(
            request.method, f"{self.target}{request.raw_path}", data=body, headers=headers
        ) as reply:
            kept = {name: value for name, value in reply.headers.items() if name.lower() not in HOP_BY_HOP}
            return reply.status, kept, await reply.read()


SESSION = web.AppKey("session", aiohttp.ClientSession)


@contextmanager
def running_gate(target: str) -> Iterator[Gate]:
    """A proxy in front of `target` on a free port of this machine, in a thread of its own."""
    gate = Gate(target)
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(_serve(gate, ready, stop)))
    thread.start()
    try:
        assert ready.wait(10), "the proxy did not start"
        yield gate
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _serve(gate: Gate, ready: threading.Event, stop: asyncio.Event) -> None:
    app = web.Application(client_max_size=LARGEST_REQUEST_BYTES)
    app.router.add_route("*", "/{path:.*}", gate.handle)
    async with aiohttp.ClientSession() as session:
        app[SESSION] = session
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        gate.url = f"http://{host}:{port}"
        ready.set()
        await stop.wait()
        await runner.cleanup()
