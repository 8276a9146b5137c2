"""Publishing into Kafka, with kafka-python: idempotent, acknowledged by all in-sync replicas, compressed.

Notes of progress are records of a compacted topic; they are sent when the records that they speak for have been
acknowledged. A crash between the two repeats records, whose ids are the same, and skips none.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from streams.engine.ports import Send
from streams.errors import Retry, SettingsError, TransportError
from streams.feeds.publisher import Publisher

__all__ = ["KafkaPublisher", "KafkaSecurity"]

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_RETRY_AFTER_SECONDS = 5.0
_LINGER_MS = 20  # one call brings a batch of hundreds; longer gains nothing
_BATCH_BYTES = 262_144
_LARGEST_REQUEST_BYTES = 4 * 1024 * 1024  # an item has at most 0.5 MB
_POLL_MS = 500


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """How to prove who we are. Secrets are not shown by `repr`.

    `protocol` is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; `mechanism` PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
    """

    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    def __post_init__(self) -> None:
        if self.protocol not in _PROTOCOLS:
            raise SettingsError(f"Kafka security protocol {self.protocol!r} is unknown; use {', '.join(_PROTOCOLS)}")
        if self.protocol.startswith("SASL") and not (self.mechanism and self.username and self.password):
            raise SettingsError(f"Kafka security protocol {self.protocol} needs a mechanism, a username and a password")

    def __repr__(self) -> str:
        return f"KafkaSecurity(protocol={self.protocol!r}, mechanism={self.mechanism!r}, username={self.username!r})"

    def options(self) -> dict[str, Any]:
        """As kafka-python's clients take them."""
        given: dict[str, Any] = {"security_protocol": self.protocol}
        if self.protocol.endswith("SSL"):
            given["ssl_context"] = self._ssl_context()
        if self.protocol.startswith("SASL"):
            given |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return given

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate_file:
                context.load_cert_chain(self.certificate_file, self.key_file)
        except OSError as error:  # ssl.SSLError is one
            raise SettingsError(f"Kafka certificates cannot be read: {error}") from None
        return context


class KafkaPublisher(Publisher):
    """Publishes into Kafka. One instance serves one thread at a time.

    `progress_topic` is created, compacted, when it is not there; the other topics must exist. After a failure the
    next call opens a new producer.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        progress_topic: str,
        security: KafkaSecurity | None = None,
        timeout_seconds: float = 30.0,
    ) -> None:
        self._bootstrap = bootstrap
        self._progress_topic = progress_topic
        self._timeout_seconds = timeout_seconds
        self._security = security or KafkaSecurity()
        self._options = {"bootstrap_servers": bootstrap, **self._security.options()}
        self._producer: Any = None
        self._partitions: dict[str, int] = {}
        self._notes: dict[str, str] | None = None

    def __repr__(self) -> str:
        return f"KafkaPublisher({self._bootstrap!r}, progress_topic={self._progress_topic!r}, {self._security!r})"

    def publish(self, sends: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
        for topic in {send.topic for send in sends}:
            self.partitions(topic)  # else a missing topic would be a time-out
        self._send(sends)
        if progress:
            notes = self._load_notes()
            self._send([Send(self._progress_topic, k.encode(), v.encode(), partition=0) for k, v in progress.items()])
            notes.update(progress)

    def progress(self, key: str) -> str | None:
        return self._load_notes().get(key)

    def partitions(self, topic: str) -> int:
        if topic not in self._partitions:
            count = self._describe(topic)
            if not count:
                raise TransportError(f"Kafka at {self._bootstrap} has no topic {topic}; create it first")
            self._partitions[topic] = count
        return self._partitions[topic]

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=self._timeout_seconds)

    # -- records

    def _send(self, sends: Sequence[Send]) -> None:
        """Returns when all are acknowledged. After a failure the producer is given up with what it still holds."""
        if not sends:
            return
        with self._explained():
            try:
                producer = self._open()
                futures = [
                    producer.send(s.topic, s.value, s.key, list(s.headers), s.partition, s.timestamp_ms) for s in sends
                ]
                producer.flush(timeout=self._timeout_seconds)
                for future in futures:
                    future.get(timeout=self._timeout_seconds)
            except KafkaError:
                self._give_up()
                raise

    def _open(self) -> Any:
        if self._producer is None:
            milliseconds = int(self._timeout_seconds * 1000)
            self._producer = _opened(
                KafkaProducer,
                **self._options,
                acks="all",
                enable_idempotence=True,
                compression_type="gzip",
                linger_ms=_LINGER_MS,
                batch_size=_BATCH_BYTES,
                max_request_size=_LARGEST_REQUEST_BYTES,
                max_block_ms=milliseconds,
                request_timeout_ms=max(1_000, milliseconds // 2),
                delivery_timeout_ms=milliseconds,
                bootstrap_timeout_ms=milliseconds,
                allow_auto_create_topics=False,
            )
        return self._producer

    def _give_up(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=0)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Kafka's errors in our two words: try again, or mend something."""
        try:
            yield
        except KafkaError as error:
            text = f"Kafka at {self._bootstrap}: {type(error).__name__}: {error}"
            if error.retriable:
                raise Retry(f"{text}; trying again", _RETRY_AFTER_SECONDS) from None
            raise TransportError(text) from None

    # -- topics and notes

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        with self._explained():
            admin = _opened(KafkaAdminClient, **self._options, bootstrap_timeout_ms=int(self._timeout_seconds * 1000))
            try:
                yield admin
            finally:
                admin.close()

    def _describe(self, topic: str) -> int:
        with self._admin() as admin:
            described = [found for found in admin.describe_topics([topic]) if found.get("error_code", 0) == 0]
        return len(described[0]["partitions"]) if described else 0

    def _load_notes(self) -> dict[str, str]:
        """All notes, read once; from then on this publisher's own writes keep them."""
        if self._notes is None:
            if not self._describe(self._progress_topic):
                self._create_progress_topic()
            self._partitions.setdefault(self._progress_topic, 1)
            self._notes = self._read_notes()
        return self._notes

    def _create_progress_topic(self) -> None:
        settings = {"num_partitions": 1, "configs": {"cleanup.policy": "compact"}}
        with self._admin() as admin:
            try:
                admin.create_topics({self._progress_topic: settings}, wait_for_metadata=True)
            except TopicAlreadyExistsError:  # another publisher was faster
                admin.wait_for_topics([self._progress_topic])

    def _read_notes(self) -> dict[str, str]:
        notes: dict[str, str] = {}
        partition = TopicPartition(self._progress_topic, 0)
        with self._explained():
            consumer = _opened(KafkaConsumer, **self._options, group_id=None, enable_auto_commit=False)
            try:
                consumer.assign([partition])
                consumer.seek_to_beginning(partition)
                end = consumer.end_offsets([partition])[partition]
                while consumer.position(partition) < end:
                    for records in consumer.poll(_POLL_MS).values():
                        notes.update((r.key.decode(), r.value.decode()) for r in records if r.value is not None)
            finally:
                consumer.close()
        return notes


def _opened(kind: Any, **options: Any) -> Any:
    """A client of kafka-python. One that finds no broker leaves its thread and sockets behind: they are closed here,
    for otherwise every retry against a dead broker would leave some more.
    """
    made: list[Any] = []

    def connection(**given: Any) -> Any:
        made.append(kind.DEFAULT_CONFIG["kafka_client"](**given))
        return made[-1]

    try:
        return kind(kafka_client=connection, **options)
    except KafkaError:
        for opened in made:
            opened.close()
        raise
