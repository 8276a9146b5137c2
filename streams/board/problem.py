"""Errors as application/problem+json (RFC 9457): what is wrong, and where in the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus

import msgspec
from aiohttp import web

__all__ = ["Mistake", "Part", "Problem", "ProblemBody", "problem_response"]

CONTENT_TYPE = "application/problem+json"


class Part(StrEnum):
    """The part of a request in which something is wrong."""

    QUERY = "query"
    BODY = "body"
    PATH = "path"
    HEADER = "header"


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong: a JSON pointer (RFC 6901) into a part of the request, and what to write instead."""

    part: Part = msgspec.field(name="in")
    pointer: str
    detail: str


class ProblemBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every error. `type` is about:blank: the status says what kind it is."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Mistake] = []


class Problem(Exception):
    """Ends a request with an error; `detail` says what is wrong and how to fix it."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[Mistake] = (),
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def body_of(problem: Problem) -> bytes:
    """Returns the problem as JSON."""
    title = HTTPStatus(problem.status).phrase
    body = ProblemBody(
        type="about:blank", title=title, status=problem.status, detail=problem.detail, errors=list(problem.errors)
    )
    return msgspec.json.encode(body)


def problem_response(problem: Problem) -> web.Response:
    """Returns the answer that tells the problem."""
    return web.Response(
        status=problem.status, body=body_of(problem), content_type=CONTENT_TYPE, headers=problem.headers
    )
