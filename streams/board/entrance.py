"""What every request passes before its handler, and what every answer gets: limits, guard, problems and figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from streams.archive.protocol import ArchiveError
from streams.board.access import COOKIE, Access, Credentials
from streams.board.guard import SECURITY_HEADERS, Guard
from streams.board.metrics import BoardMetrics
from streams.board.problem import Problem, problem_response
from streams.board.rate import Rate, RateLimit, too_many
from streams.errors import Retry, SettingsError, TransportError
from streams.logs import get_logger

__all__ = ["LONGEST_BODY", "Entrance", "add_security_headers", "credentials_of"]

log = get_logger(__name__)

LONGEST_BODY: Final = 4 << 20
_RATE: Final = Rate(per_second=200.0, burst=1_000)
"""A page asks for about 30 files and views at its start, eight tabs at once; a loop of a script may go on for long."""


class Entrance:
    """The middleware of an application; `clock` gives seconds that only grow.

    `missing` answers a browser that opens an address that is none; without it, and in the API, it is a problem.
    """

    def __init__(
        self,
        guard: Guard,
        access: Access,
        metrics: BoardMetrics,
        *,
        rate: Rate = _RATE,
        clock: Callable[[], float] = time.monotonic,
        missing: Handler | None = None,
    ) -> None:
        self._missing = missing
        self._guard, self._access, self._metrics, self._clock = guard, access, metrics, clock
        self._rate = RateLimit(rate, clock)

    @web.middleware
    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers a request, in any case with security headers, and counts it."""
        start = self._clock()
        response = await self._answered(request, handler)
        route = _route_of(request)
        self._metrics.requests.labels(request.method if route else "", route, str(response.status)).inc()
        if route and response.content_type != "text/event-stream":
            self._metrics.seconds.labels(route).observe(self._clock() - start)
        return response

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._check_rate(request)
            self._guard.check(request.method, request.raw_path, list(request.headers.items()), request.query)
            return await handler(request)
        except web.HTTPNotFound as error:
            if self._missing is not None and _is_of_a_reader(request):
                return await self._missing(request)
            return problem_response(_problem_of(request, error))
        except Exception as error:  # the boundary of a request: one that fails ends no other
            return problem_response(_problem_of(request, error))

    def _check_rate(self, request: web.Request) -> None:
        wait_seconds = self._rate.wait_seconds(self._access.address(credentials_of(request)))
        if wait_seconds:
            raise too_many("requests", wait_seconds)


async def add_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    """To be called before the head of each answer is sent, streams too."""
    response.headers.update(SECURITY_HEADERS)


def credentials_of(request: web.Request) -> Credentials:
    """Returns what of a request says who sends it."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Credentials(request.remote or "", headers, request.cookies.get(COOKIE, ""))


def _is_of_a_reader(request: web.Request) -> bool:
    """Whether a browser opens the address as a page: not a file of one, and not the API."""
    accepted = ",".join(request.headers.getall("Accept", ()))
    return request.method == "GET" and "text/html" in accepted and "/v1/" not in request.path


def _route_of(request: web.Request) -> str:
    """The path of the route with its placeholders; empty for what is none."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def _problem_of(request: web.Request, error: Exception) -> Problem:
    """The client's errors with what to change, the world's with when to come back."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, web.HTTPException):
        return _of_aiohttp(request, error)
    if isinstance(error, Retry):
        after = str(max(1, round(error.retry_after_seconds)))
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers={"Retry-After": after})
    if isinstance(error, ArchiveError | TransportError | SettingsError):
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers={"Retry-After": "10"})
    if isinstance(error, web.RequestPayloadError | ConnectionResetError):
        return Problem(HTTPStatus.BAD_REQUEST, "the body ended early, or is no HTTP")
    log.error("Request failed unexpectedly", url=request.path, exc_info=error)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "moodwire failed; its log says how")


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
