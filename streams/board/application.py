"""The aiohttp application, made of the table of routes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPMethod, HTTPStatus
from importlib.metadata import version

import msgspec
from aiohttp import web

from streams.board.access import Access
from streams.board.checking import checked_body, checked_query
from streams.board.context import Answer, Asked, Board
from streams.board.entrance import LONGEST_BODY, Entrance, add_security_headers, credentials_of
from streams.board.forms import Form, form_wanted
from streams.board.guard import Guard
from streams.board.openapi import openapi_document
from streams.board.pages import VIEWS, Pages
from streams.board.problem import Problem
from streams.board.route import Route
from streams.board.tables import csv_bytes

__all__ = ["make_application"]

_JSON = "application/json"
_BODY_SECONDS = 30.0

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_application(board: Board, routes: Sequence[Route], access: Access, guard: Guard) -> web.Application:
    """Returns the application, mounted at the base of the settings."""
    base = board.settings.board_base
    pages = Pages(base)
    entrance = Entrance(guard, access, board.metrics, missing=pages.missing)
    app = web.Application(middlewares=[entrance.answer], client_max_size=LONGEST_BODY)
    app.on_response_prepare.append(add_security_headers)
    router, prefix = app.router, base.rstrip("/")
    for route in sorted(routes, key=lambda one: one.path.count("{")):
        for path, form in _paths(route):
            answering = _handler(board, route, access, form)
            router.add_route(route.method, f"{prefix}{path}", answering)
            if route.method is HTTPMethod.GET and route.media == _JSON:
                router.add_route(HTTPMethod.HEAD, f"{prefix}{path}", answering)
    router.add_get(f"{prefix}/openapi.json", _describing(routes, base))
    for view in VIEWS:
        router.add_get(f"{prefix}{view}", pages.index)
    router.add_get(f"{prefix}/page/{{path:.+}}", pages.file)
    return app


def _paths(route: Route) -> list[tuple[str, Form | None]]:
    """The paths of a route, with the form that each one fixes; None: the Accept header says it."""
    suffixes = [(f"{route.path}.{form}", form) for form in Form] if route.table is not None else []
    return [(route.path, None), *suffixes]


def _describing(routes: Sequence[Route], base: str) -> Answering:
    document = msgspec.json.encode(openapi_document(routes, version("moodwire"), base))

    async def describe(_: web.Request) -> web.StreamResponse:
        return web.Response(body=document, content_type=_JSON)

    return describe


def _handler(board: Board, route: Route, access: Access, form: Form | None) -> Answering:
    async def handle(request: web.Request) -> web.StreamResponse:
        given = credentials_of(request)
        caller = access.caller(given, route.scope)
        query = checked_query(route.query, {key: request.query.getall(key) for key in request.query})
        body = await _body(route, request)
        asked = Asked(board, request, request.match_info, query, body, caller, access.address(given), board.clock())
        answer = await route.handler(asked)
        wanted = form or form_wanted(",".join(request.headers.getall("Accept", ())))
        return _response(route, request, answer, wanted if route.table is not None else Form.JSON)

    return handle


async def _body(route: Route, request: web.Request) -> object:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "compressed bodies are not taken; send it as it is")
    if route.body is None:
        return None
    if request.content_type != _JSON:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body is {request.content_type}; send {_JSON}")
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            sent = await request.read()
    except TimeoutError:
        raise Problem(
            HTTPStatus.REQUEST_TIMEOUT, f"the body did not arrive within {_BODY_SECONDS:g} s; send it again"
        ) from None
    return checked_body(route.body, sent)


def _response(route: Route, request: web.Request, answer: object, form: Form) -> web.StreamResponse:
    if isinstance(answer, web.StreamResponse):
        return answer
    whole = answer if isinstance(answer, Answer) else Answer(answer)
    response = web.Response(status=whole.status or route.status, headers=whole.headers)
    response.headers.setdefault("Cache-Control", "no-store")
    if route.table is not None:
        response.headers["Vary"] = "Accept"
    if whole.body is None:
        return response
    if form is Form.CSV and route.table is not None:
        return _as_csv(response, request, route.table(whole.body), getattr(whole.body, "next", None))
    response.body = msgspec.json.encode(whole.body)
    response.content_type = _JSON
    return response


def _as_csv(
    response: web.Response, request: web.Request, entries: Sequence[object], following: str | None
) -> web.Response:
    """The rows; where the next page is, is said in a Link header (RFC 8288)."""
    response.body = csv_bytes(entries)
    response.content_type, response.charset = "text/csv", "utf-8"
    name = request.path.rpartition("/")[2].partition(".")[0]
    if not name.isidentifier():
        name = "moodwire"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    if following:
        response.headers["Link"] = f'<{request.rel_url.update_query(cursor=following)}>; rel="next"'
    return response
