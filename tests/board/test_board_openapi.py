"""The description of the API: what it says holds of every route of the table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPMethod, HTTPStatus
from typing import Any

import msgspec

from streams.board.openapi import openapi_document
from streams.board.route import Route
from streams.board.routes import ROUTES
from streams.board.shapes.base import Limit, NoQuery, Page, TimeMs


class Thing(msgspec.Struct):
    name: str


class Query(msgspec.Struct, forbid_unknown_fields=True):
    limit: Limit = 50
    since_ms: TimeMs | None = None


async def nothing(_: object) -> None: ...


LIST = Route(
    method=HTTPMethod.GET, path="/v1/things/{id}", handler=nothing, summary="Things", answer=Page[Thing], query=Query
)


def document(routes: Sequence[Route] = ROUTES, base: str = "/") -> dict[str, Any]:
    return json.loads(msgspec.json.encode(openapi_document(routes, "1", base)))  # type: ignore[no-any-return]


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_route_is_described_once_and_every_reference_leads_somewhere() -> None:
    made = document()
    operations = [operation for path in made["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert {(route.method.lower(), route.path) for route in ROUTES} <= {
        (method, path) for path, methods in made["paths"].items() for method in methods
    }
    assert references(made) <= {f"#/components/schemas/{name}" for name in made["components"]["schemas"]}


def test_a_list_has_the_forms_of_its_path() -> None:
    paths = document([LIST])["paths"]
    contents = {path: list(one["get"]["responses"]["200"]["content"]) for path, one in paths.items()}
    assert contents == {
        "/v1/things/{id}": ["application/json", "text/csv"],
        "/v1/things/{id}.json": ["application/json"],
        "/v1/things/{id}.csv": ["text/csv"],
    }


def test_keys_of_a_query_are_never_null() -> None:
    parameters = document([LIST])["paths"]["/v1/things/{id}"]["get"]["parameters"]
    schemas = {one["name"]: one["schema"] for one in parameters}
    assert schemas["limit"]["maximum"] == 500
    assert schemas["since_ms"]["type"] == "integer"
    assert schemas["id"] == {"type": "string", "minLength": 1}


def test_errors_are_described_as_problems() -> None:
    act = Route(
        method=HTTPMethod.POST,
        path="/v1/act",
        handler=nothing,
        summary="Act",
        answer=Thing,
        body=Thing,
        query=NoQuery,
        problems=(HTTPStatus.PRECONDITION_FAILED,),
        headers={"If-Match": "the version that was seen"},
    )
    operation = document([act])["paths"]["/v1/act"]["post"]
    assert {"400", "401", "403", "412", "413", "422", "429", "503"} <= operation["responses"].keys()
    assert list(operation["responses"]["412"]["content"]) == ["application/problem+json"]
    assert [one["name"] for one in operation["parameters"]] == ["If-Match"]


def test_a_base_path_is_the_server() -> None:
    assert document(base="/mood/")["servers"] == [{"url": "/mood"}]
