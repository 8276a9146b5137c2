"""A small HTTP server that answers as Elasticsearch does under pressure: what a real one only does in bad hours."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

__all__ = ["ElasticStub", "Reply", "accepted", "item_errors", "running_stub"]

Lines = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to one request; `silent` never comes, until the stub closes."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False


Answering = Callable[[Lines], Reply]


def accepted(lines: Lines) -> Reply:
    """Every action of a bulk request succeeds."""
    return Reply(body={"items": [{next(iter(line)): {"status": 201}} for line in _actions(lines)]})


def item_errors(errors: dict[str, tuple[int, str, str]]) -> Answering:
    """A bulk answer in which these ids fail with (status, type, reason) and the others succeed."""

    def answer(lines: Lines) -> Reply:
        items = []
        for line in _actions(lines):
            operation, target = next(iter(line.items()))
            status, kind, reason = errors.get(target["_id"], (201, "", ""))
            error = {"error": {"type": kind, "reason": reason}} if kind else {}
            items.append({operation: {"status": status, **error}})
        return Reply(body={"items": items})

    return answer


def _actions(lines: Lines) -> Lines:
    return [line for line in lines if len(line) == 1 and next(iter(line)) in ("create", "index", "update", "delete")]


@dataclass(slots=True)
class ElasticStub:
    """Answers the n-th request by the n-th of `answers`, then by accepting everything."""

    answers: Sequence[Reply | Answering] = ()
    url: str = ""
    requests: list[Lines] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """"PUT /path" of each request."""
    most_at_once: int = 0
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    _at_once: int = 0

    def ids(self) -> list[list[str]]:
        """Of each request, the ids of its actions."""
        return [[next(iter(line.values()))["_id"] for line in _actions(lines)] for lines in self.requests]

    async def handle(self, request: web.Request) -> web.Response:
        lines = [json.loads(line) for line in (await request.read()).splitlines()]
        number = len(self.requests)
        self.requests.append(lines)
        self.headers.append(dict(request.headers))
        self.calls.append(f"{request.method} {request.path}")
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            chosen: Reply | Answering = self.answers[number] if number < len(self.answers) else accepted
            reply = chosen if isinstance(chosen, Reply) else chosen(lines)
            await asyncio.sleep(0)
            if reply.silent:
                await self.closing.wait()
            return _response(reply)
        finally:
            self._at_once -= 1


def _response(reply: Reply) -> web.Response:
    if isinstance(reply.body, str):
        return web.Response(status=reply.status, text=reply.body, headers=reply.headers, content_type="text/html")
    return web.json_response(reply.body or {}, status=reply.status, headers=reply.headers)


@asynccontextmanager
async def running_stub(*answers: Reply | Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[ElasticStub]:
    """A stub on a free port of this machine."""
    stub = ElasticStub(answers)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stub.handle)
    server = TestServer(app, scheme="https" if tls else "http")
    await server.start_server(ssl=tls)
    stub.url = f"{server.scheme}://127.0.0.1:{server.port}"
    try:
        yield stub
    finally:
        stub.closing.set()
        await server.close()
