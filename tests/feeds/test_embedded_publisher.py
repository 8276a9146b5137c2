"""The publisher's contract over the embedded broker."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from streams.engine.runs import Record
from streams.errors import SettingsError
from streams.feeds.publisher import open_publisher
from streams.transport.sqlite.store import Store
from tests.feeds.publisher_contract import Broker, PublisherContract


class TestEmbeddedPublisher(PublisherContract):
    @pytest.fixture
    def broker(self, tmp_path: Path) -> Broker:
        path = tmp_path / "broker.db"
        names = (f"topic-{n}" for n in itertools.count())

        def topic(partitions: int) -> str:
            name = next(names)
            with Store.open(path) as store:
                store.create_topic(name, partitions)
            return name

        def records(topic: str, partition: int) -> list[Record]:
            with Store.open(path) as store:
                return list(store.read(topic, partition, 0, 10_000))

        return Broker(lambda: open_publisher(f"sqlite://{path}"), topic, records)


def test_it_is_opened_by_its_url(tmp_path: Path) -> None:
    publisher = open_publisher(f"sqlite://{tmp_path}/broker.db")
    assert publisher.progress("a") is None
    publisher.close()
    with pytest.raises(SettingsError, match="sqlite"):
        open_publisher("carrier-pigeon://coop")
