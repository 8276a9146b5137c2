"""`POST /login` and `/logout`: the page holds its token in a cookie that no script can read.

The cookie is the token: it ends when the token is revoked, and every replica of the board knows it.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from streams.board.access import COOKIE
from streams.board.context import Asked
from streams.board.shapes.base import NoQuery
from streams.board.shapes.session import Login

__all__ = ["log_in", "log_out"]

_SECONDS: Final = 30 * 86_400


async def log_in(asked: Asked[NoQuery, Login]) -> web.Response:
    """Returns an answer with the cookie; raises `Problem` 401 for an unknown token, 429 after too many."""
    asked.board.access.of_token(asked.body.token, asked.address)
    response = _emptied()
    response.set_cookie(
        COOKIE,
        asked.body.token,
        max_age=_SECONDS,
        path=asked.board.settings.board_base,
        httponly=True,
        secure=asked.http.headers.get("Origin", "").startswith("https:"),
        samesite="Strict",
    )
    return response


async def log_out(asked: Asked[NoQuery, None]) -> web.Response:
    """Returns an answer that ends the cookie."""
    response = _emptied()
    response.del_cookie(COOKIE, path=asked.board.settings.board_base, httponly=True, samesite="Strict")
    return response


def _emptied() -> web.Response:
    return web.Response(status=204, headers={"Cache-Control": "no-store"})
