"""OpenAPI 3.1 from the table of routes and its structs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from streams.board.access import COOKIE
from streams.board.problem import CONTENT_TYPE, ProblemBody
from streams.board.route import Route

__all__ = ["openapi_document"]

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_JSON: Final = "application/json"
_CSV: Final = "text/csv"
_SCHEMES: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "`moodwire tokens make` makes one"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "set by POST /login"},
}
_LICENCE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
_REF = "#/components/schemas/{name}"

_ALWAYS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What every route may answer beside its own."""
_WITH_BODY: Final = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


def openapi_document(routes: Sequence[Route], version: str, base: str = "/") -> dict[str, Any]:
    """Returns the document; `base` is where the board is mounted."""
    schemas = _Schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for suffix, media in _forms(route):
            operation = _operation(route, schemas, suffix, media)
            paths.setdefault(f"{route.path}{suffix}", {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "moodwire", "version": version, "license": _LICENCE},
        "servers": [{"url": base.rstrip("/") or "/"}],
        "security": [{"token": []}, {"cookie": []}, {}],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": _SCHEMES},
    }


def _forms(route: Route) -> list[tuple[str, tuple[str, ...]]]:
    """The suffixes of a route's path, and the media types of what each answers."""
    if route.table is None:
        return [("", (route.media,))]
    return [("", (_JSON, _CSV)), (".json", (_JSON,)), (".csv", (_CSV,))]


class _Schemas:
    """The schemas of all types of the table, and references to them."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._types: list[Any] = [ProblemBody]
        for route in routes:
            self._types += [one for one in (route.answer, route.body) if one is not None]
        made, components = msgspec.json.schema_components(self._types, ref_template=_REF)
        self._made: Sequence[Mapping[str, Any]] = made
        self.components = components

    def of(self, kind: Any) -> Mapping[str, Any]:
        return self._made[self._types.index(kind)]


def _operation(route: Route, schemas: _Schemas, suffix: str, media: Sequence[str]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.operation}{suffix.removeprefix('.').title()}",
        "summary": route.summary,
        "parameters": [*_placeholders(route.path), *_query(route.query), *_headers(route)],
        "responses": {str(int(route.status)): _answer(route, schemas, media), **_problems(route, schemas)},
    }
    if route.scope is None:
        operation["security"] = [{}]
    else:
        operation["x-scope"] = str(route.scope)
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": schemas.of(route.body)}}}
    elif route.reads:
        operation["requestBody"] = {"required": True, "content": {one: {} for one in route.reads}}
    return operation


def _headers(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": text}
        for name, text in route.headers.items()
    ]


def _placeholders(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PLACEHOLDER.findall(path)
    ]


def _query(kind: type[msgspec.Struct]) -> list[dict[str, Any]]:
    fields = msgspec.structs.fields(kind)
    return [
        {"name": field.encode_name, "in": "query", "required": field.required, "schema": _of_key(field.type)}
        for field in fields
    ]


def _of_key(kind: Any) -> Any:
    """The schema of a key of a query, which is never null: it is left out."""
    (schema,), components = msgspec.json.schema_components([kind], ref_template=_REF)
    choices = [one for one in schema.get("anyOf", [schema]) if one != {"type": "null"}]
    resolved = [components[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in choices]
    return resolved[0] if len(resolved) == 1 else {**schema, "anyOf": resolved}


def _answer(route: Route, schemas: _Schemas, media: Sequence[str]) -> dict[str, Any]:
    if route.answer is None:
        return {"description": route.summary}
    content = {one: {"schema": {"type": "string"} if one == _CSV else schemas.of(route.answer)} for one in media}
    return {"description": route.summary, "content": content}


def _problems(route: Route, schemas: _Schemas) -> dict[str, Any]:
    statuses = {*_ALWAYS, *route.problems}
    if route.scope is not None:
        statuses.add(HTTPStatus.UNAUTHORIZED)
    if route.body is not None or route.reads:
        statuses.update(_WITH_BODY)
    content = {CONTENT_TYPE: {"schema": schemas.of(ProblemBody)}}
    return {str(int(status)): {"description": status.phrase, "content": content} for status in sorted(statuses)}
