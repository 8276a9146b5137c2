"""A broker as the contract tests see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.transport.faust_app import TopicSpec, ensure_topics
from streams.transport.sqlite.store import Store


@dataclass
class EmbeddedBroker:
    """What a contract test needs of a broker besides the stages that run on it."""

    url: str
    folder: Path
    store: Store

    def create(self, *topics: TopicSpec) -> None:
        ensure_topics(self.url, topics)

    def publish(self, sends: Sequence[Send]) -> None:
        self.store.append(sends)

    def records(self, topic: str, partition: int = 0) -> list[Record]:
        return self.store.read(topic, partition, 0, 1_000_000, 1 << 40)

    def lag(self, group: str, topic: str) -> int:
        return self.store.lag(group, topic)

    def epoch(self, topic: str) -> str:
        return self.store.epoch(topic)
