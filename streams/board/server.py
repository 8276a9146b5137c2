"""The board as a server in the running event loop, with an archive and a broker of its own."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry

from streams.alert_rules import alert_config, profile_of
from streams.archive import closing_archive, open_archive
from streams.board.access import access_of
from streams.board.application import make_application
from streams.board.connection import HEAD_LIMITS, handler_factory, most_connections
from streams.board.context import Beside, Board
from streams.board.guard import Guard
from streams.board.handlers.stream import report_status
from streams.board.live.live import Live
from streams.board.metrics import BoardMetrics
from streams.board.reading.explaining import Explainer
from streams.board.reading.items import item_of
from streams.board.routes import ROUTES
from streams.errors import SettingsError
from streams.namespaces import Kind
from streams.observe.connections import ConnectionLimits
from streams.records import Scored
from streams.settings import Settings
from streams.supervision import Supervisor
from streams.transport.broker import open_broker
from streams.wall_clock import wall_clock_ms

__all__ = ["DEFAULT_PORT", "BoardPortTaken", "BoardServer"]

DEFAULT_PORT = 8770
_CLOSE_SECONDS = 1.0
_CONNECTION_SECONDS = 86_400.0  # a stream lasts as long as a page is open, and is then opened again


class BoardPortTaken(SettingsError):
    """Another program listens on the port of MOODWIRE_BOARD_PORT."""


class BoardServer:
    """Serves while it is entered; its namespace exists. `port` 0 takes any free one; `port` then says which.

    Figures go to `registry`. Raises `SettingsError` where other machines could reach it and nothing says who may.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        kind: Kind = Kind.LIVE,
        beside: Beside | None = None,
        port: int | None = None,
        registry: CollectorRegistry | None = None,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.host = settings.board_host
        configured = DEFAULT_PORT if settings.board_port is None else settings.board_port
        self.port = configured if port is None else port
        self._settings, self._kind, self._clock = settings, kind, clock
        self._beside = beside or Beside()
        self._metrics = BoardMetrics(registry or CollectorRegistry())
        self._access = access_of(settings)
        self.live = Live(settings, _item_json)
        self._metrics.streams.set_function(lambda: self.live.hub.readers)
        self._stack = AsyncExitStack()

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}{self._settings.board_base}"

    async def __aenter__(self) -> Self:
        """Raises `BoardPortTaken`, or `SettingsError` for an address that cannot be used."""
        async with AsyncExitStack() as stack:
            runner = await self._runner(stack)
            self.port = await self._listening(runner, stack)
            self._stack = stack.pop_all()
        return self

    async def _runner(self, stack: AsyncExitStack) -> web.AppRunner:
        board = await self._board(stack)
        app = make_application(board, ROUTES, self._access, Guard.of(self._settings.board_hosts))
        runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=_CLOSE_SECONDS, **HEAD_LIMITS
        )
        stack.push_async_callback(runner.cleanup)
        stack.callback(board.live.hub.close)  # first: the runner waits for streams to end
        await runner.setup()
        board.tasks.start("board status", partial(report_status, board))
        return runner

    async def _board(self, stack: AsyncExitStack) -> Board:
        settings = self._settings
        profile = profile_of(settings)
        config = alert_config(settings, profile)
        return Board(
            settings=settings,
            archive=await stack.enter_async_context(closing_archive(open_archive(settings.archive, settings.elastic))),
            broker=stack.enter_context(open_broker(settings.broker, settings.kafka)),
            profile=profile,
            config=config,
            kind=self._kind,
            tasks=await stack.enter_async_context(Supervisor()),
            access=self._access,
            metrics=self._metrics,
            live=await stack.enter_async_context(self.live),
            explainer=Explainer(settings, config),
            beside=self._beside,
            clock=self._clock,
        )

    async def _listening(self, runner: web.AppRunner, stack: AsyncExitStack) -> int:
        assert runner.server is not None
        limits = ConnectionLimits(handler_factory(runner.server), most_connections(), _CONNECTION_SECONDS)
        try:
            listening = await asyncio.get_running_loop().create_server(
                limits, self.host, self.port, backlog=limits.most
            )
        except (OSError, OverflowError) as error:
            raise self._explained(error) from error
        stack.callback(listening.close)
        port: int = listening.sockets[0].getsockname()[1]
        return port

    def _explained(self, error: Exception) -> SettingsError:
        where = f"MOODWIRE_BOARD_HOST={self.host} MOODWIRE_BOARD_PORT={self.port}"
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            return BoardPortTaken(
                f"{where}: another program listens there; set MOODWIRE_BOARD_PORT to a free port, or to 0 for any"
            )
        return SettingsError(
            f"{where}: cannot listen there: {error}; take 127.0.0.1, 0.0.0.0 or an address of this host"
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()


def _item_json(item: Scored) -> bytes:
    """An item for the stream: nobody asks the archive for each who else tells its story."""
    return msgspec.json.encode(item_of(item, "", {}))
