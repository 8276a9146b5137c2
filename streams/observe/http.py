"""The operator's HTTP: GET /health, /ready and /metrics. The live page has a server of its own.

A connection has 15 s for everything, and there are 64 at most (`connections`); heads have at most 64 fields of 8 KiB.
"""

from __future__ import annotations

import asyncio
import errno
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry

from streams.errors import SettingsError
from streams.observe.connections import ConnectionLimits, most_connections
from streams.observe.health import Answer, Health
from streams.observe.metrics import exposition
from streams.transport.asking import ask

__all__ = ["OperatorServer", "PortTaken"]

_CLOSE_SECONDS = 1.0
_CONNECTION_SECONDS = 15.0  # /metrics may wait 10 s for a broker that is away
_LONGEST_FIELD = 8190
_MOST_FIELDS = 64


class PortTaken(SettingsError):
    """Another program listens on the port of MOODWIRE_HTTP_PORT."""


class OperatorServer:
    """Serves while it is entered. `port` 0 takes any free one; `port` then says which.

    A connection lasts at most `connection_seconds`; of more than `most` (by default what `most_connections` allows) the
    oldest is closed.
    """

    def __init__(
        self,
        health: Health,
        registry: CollectorRegistry,
        host: str,
        port: int,
        *,
        connection_seconds: float = _CONNECTION_SECONDS,
        most: int | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self._health = health
        self._registry = registry
        app = web.Application(middlewares=[self._answering])
        app.router.add_get("/health", self._answer_health)
        app.router.add_get("/ready", self._answer_ready)
        app.router.add_get("/metrics", self._answer_metrics)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=_CLOSE_SECONDS,
            max_line_size=_LONGEST_FIELD,
            max_field_size=_LONGEST_FIELD,
            max_headers=_MOST_FIELDS,
        )
        self._most = most_connections() if most is None else most
        self._connection_seconds = connection_seconds
        self._listening: asyncio.Server | None = None
        self._limits: ConnectionLimits | None = None

    async def __aenter__(self) -> Self:
        """Raises `PortTaken`, or `SettingsError` for an address that cannot be used."""
        await self._runner.setup()
        assert self._runner.server is not None
        self._limits = ConnectionLimits(self._runner.server, self._most, self._connection_seconds)
        try:
            self._listening = await asyncio.get_running_loop().create_server(
                self._limits, self.host, self.port, backlog=self._most
            )
        except (OSError, OverflowError) as error:
            await self._runner.cleanup()
            raise self._explained(error) from error
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    def _explained(self, error: Exception) -> SettingsError:
        where = f"MOODWIRE_HTTP_HOST={self.host} MOODWIRE_HTTP_PORT={self.port}"
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            return PortTaken(
                f"{where}: another program listens there; set MOODWIRE_HTTP_PORT to a free port, one for each process, "
                "or to 0 for none"
            )
        return SettingsError(
            f"{where}: cannot listen there: {error}; take 127.0.0.1, 0.0.0.0 or an address of this host"
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listening is not None:
            self._listening.close()
        await self._runner.cleanup()

    @web.middleware
    async def _answering(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        assert self._limits is not None
        with self._limits.answering(request.protocol):
            return await handler(request)

    async def _answer_health(self, _: web.Request) -> web.Response:
        return _json(self._health.health())

    async def _answer_ready(self, _: web.Request) -> web.Response:
        return _json(self._health.ready())

    async def _answer_metrics(self, _: web.Request) -> web.Response:
        """In a thread: the lag is asked of the broker."""
        body = await ask(lambda: exposition(self._registry), "metrics")
        return web.Response(body=body, headers={"content-type": CONTENT_TYPE_LATEST})


def _json(answer: Answer) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(answer.body), content_type="application/json", status=200 if answer.good else 503
    )
