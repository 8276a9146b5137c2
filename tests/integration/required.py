"""Servers that a test needs: without one the test is a loud skip, and a failure where CI=true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from tests.integration.elastic_server import ElasticServer, ElasticUnavailable, running_elastic
from tests.integration.kafka_server import KafkaServer, KafkaUnavailable, running_kafka
from tests.system_needs import in_ci

__all__ = ["required_elastic", "required_kafka"]


@contextmanager
def required_kafka(folder: Path, more: str = "", formatting: Sequence[str] = ()) -> Iterator[KafkaServer]:
    """A broker that keeps its data in `folder`, which is made if need be; the others are those of `running_kafka`."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as running:
        try:
            server = running.enter_context(running_kafka(folder, more, formatting))
        except KafkaUnavailable as reason:
            _absent("Kafka", reason)
        yield server


@contextmanager
def required_elastic() -> Iterator[ElasticServer]:
    """A server of its own data."""
    with ExitStack() as running:
        try:
            server = running.enter_context(running_elastic())
        except ElasticUnavailable as reason:
            _absent("Elasticsearch", reason)
        yield server


def _absent(server: str, reason: Exception) -> NoReturn:
    if in_ci():
        pytest.fail(f"no {server}, and CI=true: {reason}")
    pytest.skip(f"NO {server.upper()}, its tests are skipped: {reason}")
