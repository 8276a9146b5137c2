"""Whatever the description allows, and what it does not: no path fails, and none answers what is not described."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from streams.app import Pipeline
from streams.board.openapi import openapi_document
from streams.board.routes import ROUTES
from streams.board.server import BoardServer
from streams.namespaces import Kind
from streams.settings import Settings
from streams.transport.loop_thread import LoopThread
from tests.board.board_server import filled, settings_in
from tests.running_pipeline import running
from tests.stages.deliver_harness import FakeReceiver

ANSWERED = [route for route in ROUTES if route.media != "text/event-stream"]  # a stream has no end
SCHEMA = schemathesis.openapi.from_dict(msgspec.json.decode(msgspec.json.encode(openapi_document(ANSWERED, "1"))))
READ = list(SCHEMA.get_all_operations())
FOUND = [read.ok() for read in READ if isinstance(read, Ok)]
assert len(FOUND) == len(READ), "schemathesis cannot read some operations of the description"
OPERATIONS = {f"{one.method} {one.path}": one for one in FOUND}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 10


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a board over an archive with a crisis in it."""
    own = settings_in(tmp_path_factory.mktemp("board"))
    loop, stack = LoopThread("tests-board"), AsyncExitStack()
    yield loop.call(lambda: served(own, stack))
    loop.call(stack.aclose)
    loop.close()


async def served(own: Settings, stack: AsyncExitStack) -> str:
    """The address of a board, and a worker that answers what is decided."""
    await filled(own)
    pipeline = Pipeline(own, ["deliver"], channels=[FakeReceiver("desk")], kind=Kind.REPLAY)
    await stack.enter_async_context(running(await stack.enter_async_context(pipeline)))
    return (await stack.enter_async_context(BoardServer(own, kind=Kind.REPLAY))).address


def cases() -> Iterator[Any]:
    """Each operation with what is allowed, and what is not where there is any: paths and headers take all text."""
    for name, operation in OPERATIONS.items():
        yield pytest.param(operation, GenerationMode.POSITIVE, id=f"{name} allowed")
        content = operation.definition.raw.get("requestBody", {}).get("content", {})
        if any(one.location == "query" for one in operation.iter_parameters()) or any(content.values()):
            yield pytest.param(operation, GenerationMode.NEGATIVE, id=f"{name} not allowed")


@pytest.mark.parametrize(("operation", "mode"), list(cases()))
def test_every_answer_is_described(address: str, operation: Any, mode: GenerationMode) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=address.rstrip("/"), checks=CHECKS)

    ask()
