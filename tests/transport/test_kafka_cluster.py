"""The synchronous connection to Kafka is closed while other threads ask: none stays open, and none is opened again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from kafka.errors import NodeNotReadyError

from streams.errors import Retry, TransportError
from streams.transport.kafka.cluster import Cluster
from streams.transport.kafka.options import KafkaOptions

SECONDS = 60.0


class Client:
    """Stands for an admin client of kafka-python."""

    def __init__(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


class Clients(Cluster):
    """A cluster to which every connection succeeds at once."""

    def __init__(self) -> None:
        super().__init__(["broker:9092"], KafkaOptions())
        self.made: list[Client] = []

    def open(self, kind: Any, **more: Any) -> Any:  # no broker is asked
        self.made.append(Client())
        return self.made[-1]


def test_a_call_that_outlives_the_connection_leaves_none_open() -> None:
    cluster = Clients()
    begun, goes_on = threading.Event(), threading.Event()

    def work(_: Any) -> str:
        begun.set()
        assert goes_on.wait(SECONDS)
        return "answer"

    with ThreadPoolExecutor() as threads:
        asked = threads.submit(cluster.admin, work)
        assert begun.wait(SECONDS)
        cluster.close()
        goes_on.set()
        assert asked.result(SECONDS) == "answer"
    assert [client.is_open for client in cluster.made] == [False]


def test_a_call_that_fails_while_the_connection_is_closed_opens_no_other() -> None:
    cluster = Clients()

    def work(_: Any) -> None:
        cluster.close()
        raise NodeNotReadyError

    with pytest.raises(Retry, match="broker:9092"):
        cluster.admin(work)
    assert [client.is_open for client in cluster.made] == [False]


def test_a_call_after_the_end_is_an_error() -> None:
    cluster = Clients()
    cluster.admin(lambda _: None)
    cluster.close()
    with pytest.raises(TransportError, match="the connection is closed"):
        cluster.admin(lambda _: None)
    assert [client.is_open for client in cluster.made] == [False]
