"""Real servers for integration tests. A missing one is a loud skip here and a failure where CI=true."""

from __future__ import annotations

import gc
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.integration.kafka_server import KafkaServer, KafkaUnavailable, running_kafka
from tests.system_needs import in_ci


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """kafka-python leaves refused sockets to the garbage collector: they must be no later test's warning."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """One broker for the whole run: tests keep apart by topic names (`unique_topic`)."""
    with ExitStack() as running:
        try:
            server = running.enter_context(running_kafka(tmp_path_factory.mktemp("kafka")))
        except KafkaUnavailable as reason:
            if in_ci():
                pytest.fail(f"no Kafka, and CI=true: {reason}")
            pytest.skip(f"NO KAFKA, its tests are skipped: {reason}")
        yield server


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_server: KafkaServer) -> str:
    """The broker's "127.0.0.1:port"."""
    return kafka_server.bootstrap


@pytest.fixture
def unique_topic() -> Callable[[str], str]:
    """Makes topic names that no other test uses: `unique_topic("news")` is "news-" and 12 hex digits."""
    return lambda stem: f"{stem}-{uuid.uuid4().hex[:12]}"
