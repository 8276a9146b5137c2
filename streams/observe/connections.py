"""A server's connections, few and short-lived: a half-open or idle one costs a descriptor that scoring may need.

Each may last some seconds, whatever its client sends or leaves out. When there are too many, the oldest that waits for
its client is closed for the newest: a flood of half-open connections delays no health check.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["ConnectionLimits", "most_connections"]

_MOST = 64
_SHARE_OF_DESCRIPTORS = 8  # the stages of one process have about 60 open, with Elasticsearch more


def most_connections() -> int:
    """At most 64, and no more than an eighth of the descriptors that this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else max(4, min(_MOST, soft // _SHARE_OF_DESCRIPTORS))


class ConnectionLimits:
    """A protocol factory around `make`: at most `most` connections at once, each for at most `seconds`.

    asyncio accepts up to a backlog of connections before it makes the first protocol; listen with a backlog of `most`.
    """

    def __init__(self, make: Callable[[], asyncio.Protocol], most: int, seconds: float) -> None:
        self._make, self.most, self._seconds = make, most, seconds
        self._open: dict[asyncio.Protocol, _Limited] = {}  # by the server's own protocol, the oldest first
        self._answering: set[asyncio.Protocol] = set()

    def __call__(self) -> asyncio.BaseProtocol:
        return _Limited(self._make(), self)

    @contextmanager
    def answering(self, protocol: asyncio.Protocol) -> Iterator[None]:
        """While this is entered, the connection is not closed for another one."""
        self._answering.add(protocol)
        try:
            yield
        finally:
            self._answering.discard(protocol)

    def opened(self, protocol: asyncio.Protocol, connection: _Limited) -> float:
        """Makes room for it, or closes it if every other one is being answered; returns how many seconds it has."""
        self._open[protocol] = connection
        if len(self._open) > self.most:
            oldest = next(known for known in self._open if known not in self._answering)
            self._open.pop(oldest).abort()
        return self._seconds

    def closed(self, protocol: asyncio.Protocol) -> None:
        self._open.pop(protocol, None)


class _Limited(asyncio.Protocol):
    """Hands everything on to the server's own protocol, until time is up."""

    def __init__(self, inner: asyncio.Protocol, limits: ConnectionLimits) -> None:
        self._inner, self._limits = inner, limits
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._inner.connection_made(transport)
        self._end = asyncio.get_running_loop().call_later(self._limits.opened(self._inner, self), self.abort)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        self._limits.closed(self._inner)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
