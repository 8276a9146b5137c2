"""A broker as publishers, commands and tests see it, whichever it is: `open_broker` goes by the URL's scheme.

sqlite:///absolute/path/broker.db   one file on this machine           streams.transport.sqlite.client
kafka://host:port[,host:port…]      a cluster                          streams.transport.kafka.client
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, Self

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.transport.kafka.options import KafkaOptions, bootstrap_of, is_kafka
from streams.transport.tail import Tail, TailFrom

__all__ = ["WARN_AT", "Broker", "Late", "TopicSpec", "TopicState", "check_url", "open_broker", "setting_of"]


WARN_AT = 0.8
"""Share of the retention from which on a record that was not read is in danger."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic that must exist. `compacted` keeps the last record of each key.

    `foreign` says what it is to moodwire (`news`, `scored` …) where it is others': it is used as it is, with the
    partitions and settings that it has, and a cluster's is not created.
    """

    name: str
    partitions: int = 1
    compacted: bool = False
    retention_ms: int | None = None
    foreign: str = ""

    @property
    def written(self) -> bool:
        """Whether stages write it: a topic of news that is others' only gets what feeds and retries publish."""
        return self.foreign != "news"


def setting_of(topic: str) -> str:
    """The setting that names an existing topic in the place of moodwire's own."""
    return f"MOODWIRE_{topic.upper()}_TOPIC"


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic that does exist; `epoch` is the id of this incarnation of it."""

    name: str
    partitions: int
    epoch: str


@dataclass(frozen=True, slots=True)
class Late:
    """A group whose next record of a partition is as old as retention allows, or nearly.

    `records` are those waiting that are in danger; `lost` says that retention has passed some already. A group that
    has not read yet is at offset 0.
    """

    group: str
    topic: str
    partition: int
    records: int
    lost: bool = False


class Broker(Protocol):
    """Synchronous, for threads and commands; every method raises TransportError (Retry where waiting helps)."""

    url: str

    def ensure_topics(self, topics: Iterable[TopicSpec]) -> None:
        """Creates what is missing; raises TransportError when one exists with other partitions.

        Topics that are others' stay as they are; one that a cluster lacks raises TransportError.
        """

    def topic(self, name: str) -> TopicState:
        """Raises TransportError when there is no such topic."""

    def names(self, prefix: str) -> list[str]:
        """The topics whose name starts with `prefix`, sorted."""

    def delete_topic(self, name: str) -> None:
        """Deletes the topic with all its records and committed offsets; made again it has another epoch."""

    def append(self, sends: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
        """Appends in the order given, per partition; durable when it returns. Raises TooLarge before anything is sent.

        `progress` are small notes, written with the records: in the same transaction where the broker has one, else
        after the records were acknowledged, so that a crash repeats records and never skips any.
        """

    def check_writes(self) -> None:
        """Raises TransportError while the broker refuses what this process writes, as a full disk does."""

    def progress(self, key: str) -> str | None:
        """Returns the note last written under `key`."""

    def scan(self, topic: str) -> Iterator[Record]:
        """Every record in the topic now, partition by partition, oldest first."""
        for partition in range(self.topic(topic).partitions):
            yield from self.read(topic, partition)

    def read(self, topic: str, partition: int, after: int = -1) -> Iterator[Record]:
        """Every record in the partition now behind offset `after`, oldest first."""

    def tail(self, topics: Sequence[TailFrom]) -> Tail:
        """Follows all partitions of the topics as they grow, without a group; to be closed by the thread that polls.

        Raises TransportError for a topic that does not exist.
        """

    def lags(self, group: str, topic: str) -> dict[int, int]:
        """Per partition, how many records the group has not committed yet."""

    def lag(self, group: str, topic: str) -> int:
        """How many records of the topic the group has not committed yet; 0 means that it is drained."""
        return sum(self.lags(group, topic).values())

    def held(self, groups: Iterable[str]) -> AbstractContextManager[None]:
        """Raises StageTaken while a worker of one of the groups runs. The embedded broker keeps them out until the
        end of the block; Kafka cannot."""

    def claim(self, name: str, topic: str) -> AbstractContextManager[Callable[[], None]]:
        """A right that one process has at a time, until the end of the block; `topic` exists and takes part in it.

        Raises StageTaken when another process has it. The block gets a check to call before each write: it raises
        LeaseLost when another process may have had the right since, as after a pause longer than the session.
        """

    def late(self, now_ms: int, groups: Iterable[tuple[str, str]]) -> list[Late]:
        """Which of the (group, topic) retention has nearly reached, worst first."""

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_broker(url: str, kafka: KafkaOptions | None = None, *, progress_topic: str = "") -> Broker:
    """The broker behind a URL; to be closed.

    `kafka` and `progress_topic` are for Kafka's alone: notes of progress are in that compacted topic, which is made at
    the first of them.

    Raises SettingsError for a URL that is neither's, TransportError when the file cannot be opened. A cluster is
    reached at the first call.
    """
    if is_kafka(url):
        from streams.transport.kafka.client import KafkaBroker

        return KafkaBroker(url, kafka or KafkaOptions(), progress_topic)
    from streams.transport.sqlite.client import EmbeddedBroker

    return EmbeddedBroker(url)


def check_url(url: str) -> None:
    """Raises SettingsError for a URL that is neither broker's."""
    if is_kafka(url):
        bootstrap_of(url)
        return
    from streams.transport.sqlite.broker import broker_path

    broker_path(url)
