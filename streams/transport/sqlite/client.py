"""The embedded broker as `streams.transport.broker.Broker`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Self

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.errors import TransportError
from streams.limits import check_records
from streams.transport.broker import Broker, Late, TopicSpec, TopicState
from streams.transport.sqlite.broker import broker_path
from streams.transport.sqlite.lock import GroupLock
from streams.transport.sqlite.store import Store
from streams.transport.sqlite.tail import StoreTail
from streams.transport.tail import Tail, TailFrom

__all__ = ["EmbeddedBroker", "late"]


class EmbeddedBroker(Broker):
    """The broker's file, opened; `store` is the log in it."""

    def __init__(self, url: str, store: Store | None = None) -> None:
        self.url = url
        self.store = store or Store.open(broker_path(url))

    @classmethod
    def of(cls, store: Store) -> Self:
        """Returns the broker of a file that is open; closing it closes the file."""
        return cls(f"sqlite://{store.path}", store)

    def ensure_topics(self, topics: Iterable[TopicSpec]) -> None:
        known = self.store.topics()
        for topic in topics:
            if topic.foreign and topic.name in known:
                continue
            self.store.create_topic(
                topic.name, topic.partitions, compacted=topic.compacted, retention_ms=topic.retention_ms
            )

    def topic(self, name: str) -> TopicState:
        known = self.store.topics().get(name)
        if known is None:
            raise TransportError(f"there is no topic {name}; start the pipeline once, which creates it")
        return TopicState(name, known.partitions, known.epoch)

    def names(self, prefix: str) -> list[str]:
        return sorted(name for name in self.store.topics() if name.startswith(prefix))

    def delete_topic(self, name: str) -> None:
        self.store.delete_topic(name)

    def append(self, sends: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
        check_records(sends)
        self.store.append(sends, progress)

    def check_writes(self) -> None:
        self.store.check_writes()

    def progress(self, key: str) -> str | None:
        return self.store.progress(key)

    def read(self, topic: str, partition: int, after: int = -1) -> Iterator[Record]:
        return self.store.records(topic, partition, after)

    def tail(self, topics: Sequence[TailFrom]) -> Tail:
        return StoreTail(self.store, topics)

    def lags(self, group: str, topic: str) -> dict[int, int]:
        self.topic(topic)
        return self.store.lags(group, topic)

    @contextmanager
    def held(self, groups: Iterable[str]) -> Iterator[None]:
        with ExitStack() as stack:
            for group in groups:
                lock = GroupLock(broker_path(self.url).resolve(), group)
                lock.acquire()
                stack.callback(lock.release)
            yield

    @contextmanager
    def claim(self, name: str, topic: str) -> Iterator[Callable[[], None]]:  # noqa: ARG002  # Kafka's way needs one
        with self.held([name]):
            yield lambda: None  # the lock lives as long as its process

    def late(self, now_ms: int, groups: Iterable[tuple[str, str]]) -> list[Late]:
        return late(self.store, now_ms, groups)

    def close(self) -> None:
        self.store.close()


def late(store: Store, now_ms: int, groups: Iterable[tuple[str, str]]) -> list[Late]:
    """Returns which of the (group, topic) hold back records past their age, or lose them: they have not joined."""
    wanted = set(groups)
    return [
        Late(held.group, held.topic, held.partition, held.records, held.lost)
        for held in store.held_back(now_ms, wanted)
        if (held.group, held.topic) in wanted
    ]
