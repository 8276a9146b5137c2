"""What a route is: how it is asked, what it answers, and who may ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPMethod, HTTPStatus
from typing import Any, get_origin

import msgspec

from streams.board.context import Asked, Scope
from streams.board.shapes.base import NoQuery, Page

__all__ = ["Route"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A line of the table. `path` has placeholders such as {id}, each of which takes one segment, percent-encoded.

    `handler` gets an `Asked` and returns a struct of the type `answer`, an `Answer` around one, or a response of
    aiohttp for a stream. `problems` are the statuses of errors that it answers beside those that every route has.
    `body` is the type of the JSON body; None: there is none, or the handler reads it itself and `reads` are its media
    types. `media` is the type of an answer that is no JSON. `scope` None lets everybody in. `headers` are those that
    the handler looks at, each with what it is for.

    A list (`Page`) and what has `rows`, a function from the answer to structs, are found with .json and .csv behind the
    path too.
    """

    method: HTTPMethod
    path: str
    handler: Callable[[Asked[Any, Any]], Awaitable[object]]
    summary: str
    answer: Any
    scope: Scope | None = Scope.READ
    query: type[msgspec.Struct] = NoQuery
    body: Any = None
    status: HTTPStatus = HTTPStatus.OK
    problems: tuple[HTTPStatus, ...] = ()
    media: str = "application/json"
    rows: Callable[[Any], Sequence[Any]] | None = None
    reads: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def table(self) -> Callable[[Any], Sequence[Any]] | None:
        """What returns the rows of an answer; None where it is no table."""
        if self.rows is not None:
            return self.rows
        return _entries if get_origin(self.answer) is Page else None

    @property
    def operation(self) -> str:
        """A name for the operation, made of method and path: getItemsId."""
        words = self.path.removeprefix("/v1").lstrip("/").replace("{", "").replace("}", "").replace("-", "/").split("/")
        return self.method.lower() + "".join(word[:1].upper() + word[1:] for word in words)


def _entries(page: Any) -> Sequence[Any]:
    found: Sequence[Any] = page.items
    return found
