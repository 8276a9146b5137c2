"""The brokers that the contract tests run over."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.transport.broker import open_broker
from tests.transport.contract_broker import ContractBroker


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.integration)])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ContractBroker]:
    """An embedded broker of its own, or topics of its own on the one Kafka."""
    if request.param == "embedded":
        url = f"sqlite://{tmp_path.resolve()}/broker.db"
    else:
        url = request.getfixturevalue("kafka_url")
    with open_broker(url) as opened:
        yield ContractBroker(url, tmp_path, opened, prefix=f"{uuid.uuid4().hex[:8]}.")
