"""A Kafka cluster, synchronous, over kafka-python: topics, offsets, lag. For commands, publishers and tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import InvalidPartitionsError, KafkaError, KafkaTimeoutError, TopicAlreadyExistsError

from streams.engine.runs import Record
from streams.errors import Retry, TransportError
from streams.transport.kafka.header_names import read_any_header_name
from streams.transport.kafka.options import KafkaOptions

__all__ = ["Cluster", "TopicFacts", "given_headers", "opened"]

T = TypeVar("T")

_RETRY_AFTER_SECONDS = 5.0
_POLL_MS = 500
_PAUSE_SECONDS = 0.2

#: A client that is refused hears of it as of a broker that is not there.
_HINT = " (over {protocol}: where it is up, look at MOODWIRE_KAFKA_CA, _TLS, _MECHANISM, _USER and _PASSWORD)"
_CLOSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic that exists: `epoch` is Kafka's topic id, `replicas` the fewest of a partition, `allowed` what its
    ACLs let this user do."""

    name: str
    partitions: int
    epoch: str
    replicas: int
    allowed: frozenset[str]


class Cluster:
    """Connections are opened when first needed and given up after a failure. Threads may share one."""

    def __init__(self, bootstrap: Sequence[str], options: KafkaOptions) -> None:
        self.bootstrap = ",".join(bootstrap)
        self.options = options
        self._connection = {"bootstrap_servers": list(bootstrap), **options.security.options()}
        self._lock = threading.Lock()
        self._client: Any = None
        self._closed = threading.Event()

    def __repr__(self) -> str:
        return f"Cluster({self.bootstrap!r}, {self.options.security!r})"

    def open(self, kind: Any, **more: Any) -> Any:
        """A client of kafka-python for this cluster; raises its KafkaError."""
        return opened(kind, **self._connection, reconnect_backoff_max_ms=1_000, **more)

    def explained(self) -> AbstractContextManager[None]:
        """Kafka's errors in our two words: try again, or mend something."""
        protocol = self.options.security.protocol
        return _explained(self.bootstrap, "" if protocol == "PLAINTEXT" else _HINT.format(protocol=protocol))

    def admin(self, work: Callable[[Any], T]) -> T:
        """Calls `work` with the admin client, again where that may help; raises Retry and TransportError.

        After `close` it raises TransportError: a thread that asks once more would leave a connection open.
        """
        with self._lock, self.explained():
            try:
                return self._until_done(work)
            finally:
                if self._closed.is_set():
                    self._give_up()

    def _until_done(self, work: Callable[[Any], T]) -> T:
        deadline = time.monotonic() + self.options.timeout_seconds
        while not self._closed.is_set():
            try:
                return work(self._opened())
            except KafkaError as error:
                self._give_up()
                if not error.retriable or self._closed.is_set() or time.monotonic() >= deadline:
                    raise
            self._closed.wait(_PAUSE_SECONDS)
        raise TransportError(f"Kafka at {self.bootstrap}: the connection is closed, as moodwire is shutting down.")

    def _opened(self) -> Any:
        if self._client is None:
            milliseconds = int(self.options.timeout_seconds * 1000)
            self._client = self.open(
                KafkaAdminClient,
                bootstrap_timeout_ms=milliseconds,
                request_timeout_ms=milliseconds,
            )
        return self._client

    def close(self) -> None:
        """Closes the connection; a call that another thread is in the middle of ends with an error."""
        self._closed.set()
        if self._lock.acquire(timeout=_CLOSE_SECONDS):
            try:
                self._give_up()
            finally:
                self._lock.release()

    def _give_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    # -- topics

    def topics(self, names: Iterable[str] | None = None) -> dict[str, TopicFacts]:
        """The facts of those topics that exist; of all when none are named."""
        wanted = None if names is None else list(names)
        described = self.admin(lambda admin: admin.describe_topics(wanted))
        return {facts["name"]: _facts(facts) for facts in described if facts.get("error_code", 0) == 0}

    def create(self, topics: Mapping[str, Mapping[str, Any]]) -> None:
        """Creates topics, as `KafkaAdminClient.create_topics` takes them; one that another was faster with is fine."""

        def work(admin: Any) -> None:
            for name, settings in topics.items():
                try:
                    admin.create_topics({name: settings}, wait_for_metadata=True)
                except TopicAlreadyExistsError:
                    admin.wait_for_topics([name])

        self.admin(work)

    def extend(self, name: str, partitions: int) -> None:
        """Gives a topic more partitions, unless it has them; returns when the cluster knows them all."""

        def work(admin: Any) -> None:
            with suppress(InvalidPartitionsError):  # another worker was faster
                admin.create_partitions({name: partitions})

        self.admin(work)
        deadline = time.monotonic() + self.options.timeout_seconds
        while self.topics([name])[name].partitions < partitions:
            if time.monotonic() > deadline:
                raise TransportError(f"Kafka at {self.bootstrap} does not give topic {name} {partitions} partitions")
            time.sleep(0.05)  # the broker does not report when it is done

    def delete(self, name: str) -> None:
        """Deletes a topic; returns when the cluster has forgotten it."""
        self.admin(lambda admin: admin.delete_topics([name]))
        deadline = time.monotonic() + self.options.timeout_seconds
        while self.topics([name]):
            if time.monotonic() > deadline:
                raise TransportError(f"Kafka at {self.bootstrap} does not delete topic {name}")
            time.sleep(0.05)  # the broker does not report when it is done

    def configs(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Each topic's settings, also those that it inherits."""
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        found = self.admin(lambda admin: admin.describe_configs(resources, config_filter="all"))
        return {
            name: {key: entry["value"] for key, entry in entries.items()}
            for name, entries in found.get("topic", {}).items()
        }

    def configure(self, name: str, settings: Mapping[str, str]) -> None:
        """Changes some of a topic's settings."""
        resource = ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(settings))
        self.admin(lambda admin: admin.alter_configs([resource], incremental=True))

    # -- offsets

    def offsets(self, places: Iterable[TopicPartition], spec: Any = OffsetSpec.LATEST) -> dict[TopicPartition, int]:
        """The end of each partition; with `OffsetSpec.EARLIEST` its start, with a time in ms the first at or after it
        (-1: none)."""
        wanted = dict.fromkeys(places, spec)
        if not wanted:
            return {}
        found = self.admin(lambda admin: admin.list_partition_offsets(wanted))
        return {place: at.offset for place, at in found.items()}

    def committed(self, group: str, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The group's next offset of each partition that it has committed."""
        wanted = list(places)
        found = self.admin(lambda admin: admin.list_group_offsets({group: wanted}))
        return {place: at.offset for place, at in found[group].items() if at.offset >= 0}

    def members(self, groups: Iterable[str]) -> dict[str, int]:
        """How many workers each group has now; a group without a member yet has none."""
        wanted = list(groups)
        found = self.admin(lambda admin: admin.describe_groups(wanted))
        for group, facts in found.items():
            if facts["error"] and "GroupIdNotFound" not in facts["error"]:
                raise TransportError(
                    f"Kafka at {self.bootstrap} does not tell who is in group {group}: {facts['error']}"
                )
        return {group: len(facts.get("members") or ()) for group, facts in found.items()}

    # -- records

    def read(self, topic: str, partition: int, after: int = -1) -> Iterator[Record]:
        """Every record in the partition now behind offset `after`, oldest first."""
        read_any_header_name()
        place = TopicPartition(topic, partition)
        end = self.offsets([place])[place]
        if after + 1 >= end:
            return
        with self.explained():
            consumer = self.open(KafkaConsumer, group_id=None, enable_auto_commit=False, max_poll_records=5_000)
            try:
                consumer.assign([place])
                if after < 0:
                    consumer.seek_to_beginning(place)
                else:
                    consumer.seek(place, after + 1)
                while consumer.position(place) < end:
                    for records in consumer.poll(_POLL_MS).values():
                        yield from (
                            Record(r.offset, r.key, r.value, r.timestamp, given_headers(r.headers))
                            for r in records
                            if r.offset < end
                        )
            finally:
                consumer.close()


def given_headers(headers: Iterable[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes], ...]:
    """A record's headers; Kafka has headers without a value, which are empty here."""
    return tuple([(name, value or b"") for name, value in headers])


def _facts(found: Mapping[str, Any]) -> TopicFacts:
    partitions = found["partitions"]
    return TopicFacts(
        found["name"],
        len(partitions),
        str(found["topic_id"]),
        min((len(p["replica_nodes"]) for p in partitions), default=0),
        frozenset(found.get("authorized_operations") or ()),
    )


@contextmanager
def _explained(bootstrap: str, hint: str) -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        told = str(error)
        name = type(error).__name__
        text = f"Kafka at {bootstrap}: {told if told.startswith(name) else f'{name}: {told}'}"
        if isinstance(error, KafkaTimeoutError):
            text += hint
        if error.retriable:
            raise Retry(f"{text}; trying again", _RETRY_AFTER_SECONDS) from None
        raise TransportError(text) from None


def opened(kind: Any, **options: Any) -> Any:
    """A client of kafka-python. One that finds no broker leaves its thread and sockets behind: they are closed here,
    for otherwise every retry against a dead broker would leave some more.

    A topic that was deleted is not made again by asking about it, as most clusters would: kafka-python has a setting
    for that, `allow_auto_create_topics`, and does not hand it on to where it is read.
    """
    made: list[Any] = []

    def connection(**given: Any) -> Any:
        made.append(kind.DEFAULT_CONFIG["kafka_client"](**given))
        made[-1].cluster.config["allow_auto_create_topics"] = False
        return made[-1]

    try:
        return kind(kafka_client=connection, **options)
    except KafkaError:
        for half_open in made:
            half_open.close()
        raise
