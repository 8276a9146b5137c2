"""What a route is: how it is asked, what it answers, and who may ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPMethod, HTTPStatus
from typing import Any

import msgspec

from streams.board.context import Asked, Scope
from streams.board.shapes.base import NoQuery

__all__ = ["Route"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A line of the table. `path` has placeholders such as {id}, each of which takes one segment, percent-encoded.

    `handler` gets an `Asked` and returns a struct of the type `answer`, an `Answer` around one, or a response of
    aiohttp for a stream. `problems` are the statuses of errors that it answers beside those that every route has.
    `body` is the type of the JSON body; None: there is none. `media` is the type of an answer that is no JSON.
    """

    method: HTTPMethod
    path: str
    handler: Callable[[Asked[Any, Any]], Awaitable[object]]
    summary: str
    answer: Any
    scope: Scope = Scope.READ
    query: type[msgspec.Struct] = NoQuery
    body: Any = None
    status: HTTPStatus = HTTPStatus.OK
    problems: tuple[HTTPStatus, ...] = ()
    media: str = "application/json"

    @property
    def operation(self) -> str:
        """A name for the operation, made of method and path: getItemsId."""
        words = self.path.removeprefix("/v1/").replace("{", "").replace("}", "").replace("-", "/").split("/")
        return self.method.lower() + "".join(word[:1].upper() + word[1:] for word in words)
