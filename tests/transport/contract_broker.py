"""A broker as the contract tests see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.transport.broker import Broker, TopicSpec
from streams.transport.kafka.options import is_kafka
from streams.transport.sqlite.client import EmbeddedBroker

KAFKA_SESSION_SECONDS = 6.0
"""The least that a broker allows by default: tests wait for it after a kill."""


@dataclass
class ContractBroker:
    """What a contract test needs of a broker besides the stages that run on it.

    Topics and groups get a prefix, for all tests share one Kafka: `name` tells the full one.
    """

    url: str
    folder: Path
    broker: Broker
    prefix: str

    @property
    def is_kafka(self) -> bool:
        return is_kafka(self.url)

    def name(self, short: str) -> str:
        return self.prefix + short

    def create(self, *topics: TopicSpec) -> None:
        self.broker.ensure_topics(replace(topic, name=self.name(topic.name)) for topic in topics)

    def delete(self, topic: str) -> None:
        self.broker.delete_topic(self.name(topic))

    def publish(self, sends: Iterable[Send]) -> None:
        self.broker.append([msgspec.structs.replace(send, topic=self.name(send.topic)) for send in sends])

    def records(self, topic: str, partition: int = 0) -> list[Record]:
        return list(self.broker.read(self.name(topic), partition))

    def lag(self, group: str, topic: str) -> int:
        return self.broker.lag(self.name(group), self.name(topic))

    def epoch(self, topic: str) -> str:
        return self.broker.topic(self.name(topic)).epoch

    def compact(self) -> None:
        """Compacts now where one can ask for it."""
        if isinstance(self.broker, EmbeddedBroker):
            self.broker.store.compact(force=True)


__all__ = ["KAFKA_SESSION_SECONDS", "ContractBroker"]
