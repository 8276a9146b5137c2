"""What handlers work with: one `Board` a process, and one `Asked` a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from aiohttp import web

from alerts import AlertConfig
from streams.archive.protocol import Archive
from streams.board.live.live import Live
from streams.board.metrics import BoardMetrics
from streams.board.reading.explaining import Explainer
from streams.namespaces import Kind
from streams.observe.troubles import Trouble
from streams.settings import Settings
from streams.supervision import Supervisor
from streams.text.profile import Profile
from streams.transport.asking import ask
from streams.transport.broker import Broker
from streams.wall_clock import wall_clock_ms

__all__ = ["Answer", "Asked", "Beside", "Board", "Caller", "Recognises", "Scope"]

Q = TypeVar("Q")
B = TypeVar("B")
T = TypeVar("T")


class Scope(StrEnum):
    """What a caller may do; a token has some of them, none includes another."""

    READ = "read"
    ACT = "act"
    PUSH = "push"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name that the audit trail gets, and what it may do."""

    name: str
    scopes: frozenset[Scope]


class Recognises(Protocol):
    """Knows the tokens."""

    def of_token(self, token: str, address: str) -> Caller:
        """Returns whose token it is; raises `Problem` 401 for none of ours, 429 after too many from this address."""

    def caller(self, given: Any, scope: Scope | None) -> Caller:
        """Returns who sends `Credentials`; raises `Problem` 401 for nobody, 403 for somebody without the scope."""


def _no_troubles() -> Sequence[Trouble]:
    return ()


def _no_feeds() -> tuple[int, int] | None:
    return None


@dataclass(frozen=True, slots=True)
class Beside:
    """What the pipeline of the same process knows; safe to ask from another thread.

    `feeds` returns how many feeds answered at their last poll and how many are polled, None without any.
    """

    troubles: Callable[[], Sequence[Trouble]] = _no_troubles
    feeds: Callable[[], tuple[int, int] | None] = _no_feeds


@dataclass(frozen=True, slots=True)
class Board:
    """What a handler needs: the archive and broker are the board's own, never those of the stages.

    The broker is synchronous: call it by `with_broker`. `live` follows the topics and asks the judge. `tasks` runs what
    goes on beside requests. `explainer` counts one alert again at once. `clock` gives the wall clock in ms.
    """

    settings: Settings
    archive: Archive
    broker: Broker
    profile: Profile
    config: AlertConfig
    kind: Kind
    tasks: Supervisor
    access: Recognises
    metrics: BoardMetrics
    live: Live
    explainer: Explainer
    beside: Beside = Beside()
    clock: Callable[[], int] = wall_clock_ms

    async def with_broker(self, work: Callable[[Broker], T]) -> T:
        """Returns or raises what `work` does with the broker, in a thread of its own."""
        return await ask(lambda: work(self.broker), "board")


@dataclass(frozen=True, slots=True)
class Asked(Generic[Q, B]):
    """A request that was let in and checked: `query` and `body` are the structs of its route.

    `path` has the values of the placeholders, decoded. `http` is for headers and streams.
    `address` is whose limits count.
    """

    board: Board
    http: web.Request
    path: Mapping[str, str]
    query: Q
    body: B
    caller: Caller
    address: str
    now_ms: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that needs more than a struct: another status, or headers. `body` is a struct, or None for no body."""

    body: object
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
