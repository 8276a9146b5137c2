"""The brokers that the contract tests run over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.transport.faust_app import open_store
from tests.transport.contract_broker import EmbeddedBroker


@pytest.fixture(params=["embedded"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A fresh broker. Kafka joins as another parameter."""
    assert request.param == "embedded"
    url = f"sqlite://{tmp_path.resolve()}/broker.db"
    with open_store(url) as store:
        yield EmbeddedBroker(url, tmp_path, store)
