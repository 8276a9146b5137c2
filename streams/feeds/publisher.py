"""Where feeds send their records: a port, and a broker behind it, which keeps notes of progress beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from streams.engine.ports import Send
from streams.transport.broker import Broker, open_broker
from streams.transport.kafka.options import KafkaOptions

__all__ = ["BrokerPublisher", "Publisher", "open_publisher"]


def _nothing() -> None:
    """There is nothing to check."""


class Publisher(Protocol):
    """Sends records and keeps small notes of progress beside them."""

    def publish(self, sends: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
        """Returns when the records and the notes are acknowledged (`Broker.append`).

        Raises `TooLarge`, `Retry` and `TransportError`.
        """

    def progress(self, key: str) -> str | None:
        """Returns the note last written under `key`."""

    def partitions(self, topic: str) -> int:
        """Returns how many partitions `topic` has; raises `TransportError` when there is no such topic."""

    def close(self) -> None: ...


class BrokerPublisher(Publisher):
    """Publishes over a broker; calls `check` before each publication, which raises when it may no longer."""

    def __init__(self, broker: Broker, check: Callable[[], None] = _nothing) -> None:
        self.broker = broker
        self._check = check

    def publish(self, sends: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
        """Also raises what `check` raises; then nothing is published."""
        self._check()
        self.broker.append(sends, progress)

    def progress(self, key: str) -> str | None:
        return self.broker.progress(key)

    def partitions(self, topic: str) -> int:
        return self.broker.topic(topic).partitions

    def close(self) -> None:
        self.broker.close()


def open_publisher(broker_url: str, *, progress_topic: str = "", kafka: KafkaOptions | None = None) -> Publisher:
    """Returns a publisher for a broker's URL; raises as `open_broker` does."""
    return BrokerPublisher(open_broker(broker_url, kafka, progress_topic=progress_topic))
