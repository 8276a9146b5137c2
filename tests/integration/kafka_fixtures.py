"""The real Kafka as fixtures, for every folder of tests: `tests/conftest.py` takes them in.

A missing server is a loud skip here and a failure where CI=true. Tests that kill the server start one of their own
with `required_kafka(folder)`.
"""

from __future__ import annotations

import gc
import logging
import uuid
import warnings
from collections.abc import Callable, Iterator

import pytest

from tests.integration.kafka_server import KafkaServer
from tests.integration.required import required_kafka

__all__ = ["collected", "kafka_bootstrap", "kafka_server", "kafka_url", "unique_topic"]


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """One broker for the whole run: tests keep apart by topic names (`unique_topic`)."""
    with required_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_server: KafkaServer) -> str:
    """The broker's "127.0.0.1:port"."""
    return kafka_server.bootstrap


@pytest.fixture(scope="session")
def kafka_url(kafka_bootstrap: str) -> str:
    """kafka://127.0.0.1:port"""
    return f"kafka://{kafka_bootstrap}"


@pytest.fixture
def unique_topic() -> Callable[[str], str]:
    """Makes topic names that no other test uses: `unique_topic("news")` is "news-" and 12 hex digits."""
    return lambda stem: f"{stem}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def collected(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """kafka-python leaves refused sockets to the garbage collector: they must be no later test's warning.

    What it logs would hold them until the test's end, so it logs nothing.
    """
    caplog.set_level(logging.CRITICAL + 1, "kafka")
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
