"""OpenAPI 3.1 from the table of routes and its structs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from streams.board.problem import CONTENT_TYPE, ProblemBody
from streams.board.route import Route

__all__ = ["openapi_document"]

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_LICENCE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
_REF = "#/components/schemas/{name}"

ALWAYS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What every route may answer beside its own."""
WITH_BODY: Final = (
    HTTPStatus.CONTENT_TOO_LARGE if hasattr(HTTPStatus, "CONTENT_TOO_LARGE") else HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


def openapi_document(routes: Sequence[Route], version: str, base: str = "/") -> dict[str, Any]:
    """Returns the document; `base` is where the board is mounted."""
    schemas = _Schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "moodwire",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base.rstrip("/") or "/"}],
        "paths": paths,
        "components": {"schemas": schemas.components},
    }


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


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "parameters": [*_placeholders(route.path), *_query(route.query)],
        "responses": {str(int(route.status)): _answer(route, schemas), **_problems(route, schemas)},
        "x-scope": str(route.scope),
    }
    if route.body is not None:
        content = {"application/json": {"schema": schemas.of(route.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


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


def _answer(route: Route, schemas: _Schemas) -> dict[str, Any]:
    text = route.summary
    if route.answer is None:
        return {"description": text}
    return {"description": text, "content": {route.media: {"schema": schemas.of(route.answer)}}}


def _problems(route: Route, schemas: _Schemas) -> dict[str, Any]:
    statuses = sorted({*ALWAYS, *route.problems, *(WITH_BODY if route.body is not None else ())})
    content = {CONTENT_TYPE: {"schema": schemas.of(ProblemBody)}}
    return {str(int(status)): {"description": status.phrase, "content": content} for status in statuses}
