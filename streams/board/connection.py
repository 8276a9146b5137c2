"""Connections of the board: how many, how large a head may be, and problems for what is no HTTP.

aiohttp answers what its parser refuses by itself, in plain text. Its handler of a connection can be given another way
to answer; `_kwargs` is the one private name that this takes, and a test fails where a version lacks it.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from streams.board.guard import SECURITY_HEADERS
from streams.board.problem import Problem, problem_response

__all__ = ["HEAD_LIMITS", "handler_factory", "most_connections"]

_LONGEST_FIELD: Final = 8_190
_MOST_FIELDS: Final = 100
HEAD_LIMITS: Final[Mapping[str, Any]] = {
    "max_line_size": _LONGEST_FIELD,
    "max_field_size": _LONGEST_FIELD,
    "max_headers": _MOST_FIELDS,
    "auto_decompress": False,  # a small body would become a large one
}
"""What a head may be, for aiohttp's runner."""

_MOST: Final = 2_048
_SHARE_OF_DESCRIPTORS: Final = 2


class _Handler(RequestHandler):
    """A connection whose errors are problems."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Returns the answer to what is no HTTP; the connection ends with it."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        response = problem_response(_refused(status, exc))
        response.headers.update(SECURITY_HEADERS)
        response.force_close()
        return response


def _refused(status: int, error: BaseException | None) -> Problem:
    if isinstance(error, LineTooLong) or "too many headers" in str(error).lower():
        return Problem(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"the head is too large: send at most {_MOST_FIELDS} fields, each of them and the first line at most "
            f"{_LONGEST_FIELD} bytes",
        )
    return Problem(status, "this is no HTTP/1.1 request")


def handler_factory(server: web.Server) -> Callable[[], asyncio.Protocol]:
    """Returns what makes the handler of each connection of a server."""
    loop = asyncio.get_running_loop()
    return lambda: _Handler(server, loop=loop, **server._kwargs)


def most_connections() -> int:
    """At most 2,048, and no more than half of the descriptors that this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else max(16, min(_MOST, soft // _SHARE_OF_DESCRIPTORS))
