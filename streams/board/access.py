"""Who asks, and whether they may: on loopback without tokens everybody may do everything."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from aiohttp import web

from streams.board.context import Caller, Scope
from streams.board.problem import Problem

__all__ = ["Access"]

_LOCAL: Final = Caller("local", frozenset(Scope))


class Access:
    """Decides who a request is from."""

    def caller(self, request: web.Request, scope: Scope) -> Caller:  # noqa: ARG002  # anybody of this machine
        """Returns who asks; raises `Problem` 401 or 403."""
        if scope not in _LOCAL.scopes:
            raise Problem(HTTPStatus.FORBIDDEN, f"this needs the scope {scope}")
        return _LOCAL
