"""Fixtures of the chaos suite: worlds on the shared servers, worlds on servers of their own, and the report.

CHAOS_RECORDS is the number of records of a scenario: 3,000 in `make test`, 20,000 in `make chaos`. Scenarios marked
`chaos_long` run in the long form alone.
"""

from __future__ import annotations

import gc
import os
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.gate import Gate, running_gate
from tests.chaos.world import Figures, World
from tests.integration.elastic_server import ElasticServer
from tests.integration.kafka_server import KafkaServer
from tests.integration.required import required_elastic, required_kafka

SHORT_RECORDS = 3_000
LONG_RECORDS = 20_000

Report = Callable[[str, Figures], None]
MakeWorld = Callable[..., World]


def records() -> int:
    return int(os.environ.get("CHAOS_RECORDS", SHORT_RECORDS))


def is_long() -> bool:
    return records() >= LONG_RECORDS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents or item.path.stem == "test_chaos_judgement":
            continue
        item.add_marker(pytest.mark.integration)
        item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("chaos_long") and not is_long():
            item.add_marker(pytest.mark.skip(reason="only in the long form of the chaos suite: make chaos"))


def pytest_runtest_logfinish() -> None:
    """kafka-python leaves refused sockets to the garbage collector: they must be no later test's warning.

    Here, and not in a fixture, for until now the test's fixtures are held.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def long() -> bool:
    """Whether this is the long form."""
    return is_long()


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    """Prints a scenario's figures, past pytest's capture; to standard error, as one of two processes has no output."""

    def show(scenario: str, figures: Figures) -> None:
        with capsys.disabled():
            print(f"\n{figures.line(scenario)}", file=sys.stderr)

    return show


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Makes worlds on the servers named; what runs in them ends with the test."""
    with ExitStack() as open_worlds:

        def make(broker_url: str, direct_url: str, archive_url: str = "", **more: str) -> World:
            world = World(
                tmp_path,
                f"chaos-{uuid.uuid4().hex[:8]}-",
                broker_url,
                archive_url or direct_url,
                direct_url,
                records(),
                more,
            )
            open_worlds.callback(world.close)
            return world

        yield make


@pytest.fixture
def world(make_world: MakeWorld, kafka_url: str, elastic_url: str) -> World:
    """A world on the servers that the whole run shares."""
    return make_world(kafka_url, elastic_url)


@pytest.fixture
def mortal_kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    """A broker of the test's own, for it is killed. Before the world, which is to end before it does."""
    with required_kafka(tmp_path / "kafka") as server:
        yield server


@pytest.fixture
def mortal_elastic() -> Iterator[ElasticServer]:
    """An Elasticsearch of the test's own, for it is killed."""
    with required_elastic() as server:
        yield server


@pytest.fixture
def gate(elastic_url: str) -> Iterator[Gate]:
    with running_gate(elastic_url) as gate:
        yield gate
