"""Publishing into Kafka: idempotent, acknowledged by all in-sync replicas, compressed.

Notes of progress are records of a compacted topic; they are sent when the records that they speak for have been
acknowledged. A crash between the two repeats records, whose ids are the same, and skips none.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from streams.engine.ports import Send
from streams.feeds.publisher import Publisher
from streams.transport.broker import TopicSpec
from streams.transport.kafka.client import topic_settings
from streams.transport.kafka.cluster import Cluster
from streams.transport.kafka.options import KafkaOptions
from streams.transport.kafka.security import KafkaSecurity
from streams.transport.kafka.sender import Sender

__all__ = ["KafkaPublisher", "KafkaSecurity"]


class KafkaPublisher(Publisher):
    """Publishes into Kafka. Threads may share one.

    `progress_topic` is created, compacted, if it does not exist; the other topics must exist. After a failure the
    next call opens a new producer.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        progress_topic: str,
        security: KafkaSecurity | None = None,
        timeout_seconds: float = 30.0,
        options: KafkaOptions | None = None,
    ) -> None:
        given = options or KafkaOptions(security=security or KafkaSecurity(), timeout_seconds=timeout_seconds)
        self._cluster = Cluster(bootstrap.split(","), given)
        self._sender = Sender(self._cluster)
        self._progress_topic = progress_topic
        self._loading = threading.Lock()
        self._notes: dict[str, str] | None = None

    def __repr__(self) -> str:
        return f"KafkaPublisher({self._cluster!r}, progress_topic={self._progress_topic!r})"

    def publish(self, sends: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
        self._sender.send(sends)
        if progress:
            notes = self._load_notes()
            self._sender.send(
                [Send(self._progress_topic, k.encode(), v.encode(), partition=0) for k, v in progress.items()]
            )
            notes.update(progress)

    def progress(self, key: str) -> str | None:
        return self._load_notes().get(key)

    def partitions(self, topic: str) -> int:
        return self._sender.partitions(topic)

    def close(self) -> None:
        self._sender.close()
        self._cluster.close()

    def _load_notes(self) -> dict[str, str]:
        """All notes, read once; from then on this publisher's own writes keep them."""
        with self._loading:
            if self._notes is None:
                if not self._cluster.topics([self._progress_topic]):
                    spec = TopicSpec(self._progress_topic, 1, compacted=True)
                    self._cluster.create({spec.name: topic_settings(spec, self._cluster.options)})
                records = self._cluster.read(self._progress_topic, 0)
                self._notes = {(r.key or b"").decode(): r.value.decode() for r in records if r.value is not None}
            return self._notes
