"""The aiohttp application, made of the table of routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from importlib.metadata import version

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from streams.archive.protocol import ArchiveError
from streams.board.access import Access
from streams.board.checking import checked_body, checked_query
from streams.board.context import Answer, Asked, Board
from streams.board.openapi import openapi_document
from streams.board.pages import VIEWS, Pages
from streams.board.problem import Problem, problem_response
from streams.board.route import Route
from streams.errors import Retry, TransportError
from streams.logs import get_logger

__all__ = ["make_application"]

log = get_logger(__name__)

LONGEST_BODY = 4 << 20
_JSON = "application/json"


def make_application(board: Board, routes: Sequence[Route], access: Access, base: str = "/") -> web.Application:
    """Returns the application; `base` is the path at which a proxy mounts it, with a slash at its end."""
    app = web.Application(middlewares=[_problems], client_max_size=LONGEST_BODY)
    router, prefix = app.router, base.rstrip("/")
    for route in sorted(routes, key=lambda one: one.path.count("{")):
        router.add_route(route.method, f"{prefix}{route.path}", _handler(board, route, access))
    document = msgspec.json.encode(openapi_document(routes, version("moodwire"), base))

    async def describe(_: web.Request) -> web.Response:
        return web.Response(body=document, content_type=_JSON)

    router.add_get(f"{prefix}/openapi.json", describe)
    pages = Pages(base)
    for view in VIEWS:
        router.add_get(f"{prefix}{view}", pages.index)
    router.add_get(f"{prefix}/page/{{path:.+}}", pages.file)
    return app


def _handler(board: Board, route: Route, access: Access) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        caller = access.caller(request, route.scope)
        query = checked_query(route.query, {key: request.query.getall(key) for key in request.query})
        body = await _body(route, request)
        asked = Asked(board, request, request.match_info, query, body, caller, board.clock())
        return _response(route, await route.handler(asked))

    return handle


async def _body(route: Route, request: web.Request) -> object:
    if route.body is None:
        return None
    if request.content_type != _JSON:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body is {request.content_type}; send {_JSON}")
    return checked_body(route.body, await request.read())


def _response(route: Route, answer: object) -> web.StreamResponse:
    if isinstance(answer, web.StreamResponse):
        return answer
    whole = answer if isinstance(answer, Answer) else Answer(answer)
    response = web.Response(status=whole.status or route.status, headers=whole.headers)
    if whole.body is not None:
        response.body = msgspec.json.encode(whole.body)
        response.content_type = _JSON
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as a problem: the client's with what to change, the world's with when to come back."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem_response(problem)
    except web.HTTPException as error:
        return problem_response(_of_aiohttp(request, error))
    except Retry as error:
        after = {"Retry-After": str(max(1, round(error.retry_after_seconds)))}
        return problem_response(Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers=after))
    except (ArchiveError, TransportError) as error:
        return problem_response(Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers={"Retry-After": "10"}))
    except Exception:  # the boundary of a request: one that fails ends no other
        log.exception("Request failed unexpectedly", url=request.path)
        return problem_response(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "moodwire failed; its log says how"))


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> Problem:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{request.method} is not for this path; it takes {allowed}"
        return Problem(error.status, detail, headers={"Allow": allowed})
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return Problem(error.status, f"the body is too large; send at most {LONGEST_BODY} bytes")
    if error.status == HTTPStatus.NOT_FOUND:
        return Problem(error.status, "there is nothing at this path; /openapi.json lists the paths")
    return Problem(error.status, error.reason)
