"""Where feeds send their records: one protocol, the embedded broker and Kafka (`streams.feeds.kafka_publisher`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from streams.engine.ports import Send
from streams.errors import TransportError
from streams.limits import check_records
from streams.transport.broker import check_url
from streams.transport.kafka.options import KafkaOptions, bootstrap_of, is_kafka
from streams.transport.sqlite.broker import broker_path
from streams.transport.sqlite.store import Store

__all__ = ["CheckedPublisher", "EmbeddedPublisher", "Publisher", "open_publisher"]


class Publisher(Protocol):
    """Sends records and keeps small notes of progress beside them.

    `progress` notes are written with the records: in the same transaction where the broker has one, else after
    the records were acknowledged, so that a crash repeats records and never skips any.
    """

    def publish(self, sends: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
        """Returns when all is acknowledged; raises `TooLarge`, `Retry` or `TransportError`."""

    def progress(self, key: str) -> str | None:
        """The note last written under `key`."""

    def partitions(self, topic: str) -> int:
        """How many partitions `topic` has; raises `TransportError` when there is no such topic."""

    def close(self) -> None: ...


class EmbeddedPublisher:
    """Publishes into the embedded broker's file, in one durable transaction per call.

    A worker may run on the same file meanwhile. `close` closes the store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def publish(self, sends: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
        check_records(sends)
        self._store.append(sends, progress)

    def progress(self, key: str) -> str | None:
        return self._store.progress(key)

    def partitions(self, topic: str) -> int:
        known = self._store.topics().get(topic)
        if known is None:
            raise TransportError(f"there is no topic {topic}; start the pipeline once, which creates it")
        return known.partitions

    def close(self) -> None:
        self._store.close()


class CheckedPublisher(Publisher):
    """Another publisher, that asks before each publication whether it still may."""

    def __init__(self, publisher: Publisher, check: Callable[[], None]) -> None:
        self._publisher, self._check = publisher, check

    def publish(self, sends: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
        """Also raises what `check` raises; then nothing is published."""
        self._check()
        self._publisher.publish(sends, progress)

    def progress(self, key: str) -> str | None:
        return self._publisher.progress(key)

    def partitions(self, topic: str) -> int:
        return self._publisher.partitions(topic)

    def close(self) -> None:
        self._publisher.close()


def open_publisher(broker_url: str, *, progress_topic: str = "", kafka: KafkaOptions | None = None) -> Publisher:
    """The publisher for a broker's URL; raises `TransportError` when it cannot be opened.

    On Kafka notes of progress stand in the compacted topic `progress_topic`, which is made when it is not there.
    """
    check_url(broker_url)
    if is_kafka(broker_url):
        from streams.feeds.kafka_publisher import KafkaPublisher

        return KafkaPublisher(",".join(bootstrap_of(broker_url)), progress_topic=progress_topic, options=kafka)
    return EmbeddedPublisher(Store.open(broker_path(broker_url)))
