"""Notes of progress on Kafka: records of a compacted topic, sent when the records that they speak for are acknowledged.

A crash between the two repeats records, whose ids are the same, and skips none.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from streams.engine.ports import Send
from streams.errors import TransportError
from streams.transport.broker import TopicSpec
from streams.transport.kafka.cluster import Cluster
from streams.transport.kafka.sender import Sender
from streams.transport.kafka.topic_settings import topic_settings

__all__ = ["Notes"]


class Notes:
    """The notes in `topic`, which is made at the first use. Threads may share them."""

    def __init__(self, cluster: Cluster, sender: Sender, topic: str) -> None:
        self._cluster, self._sender, self._topic = cluster, sender, topic
        self._loading = threading.Lock()
        self._known: dict[str, str] | None = None

    def write(self, notes: Mapping[str, str]) -> None:
        """Returns when all are acknowledged; raises `Retry` and `TransportError`."""
        known = self._load()
        self._sender.send([Send(self._topic, key.encode(), note.encode(), 0) for key, note in notes.items()])
        known.update(notes)

    def get(self, key: str) -> str | None:
        """Returns the note last written under `key`."""
        return self._load().get(key)

    def _load(self) -> dict[str, str]:
        """All notes, read once; from then on this process's own writes keep them."""
        if not self._topic:
            raise TransportError(f"Kafka at {self._cluster.bootstrap}: no topic for notes of progress is named")
        with self._loading:
            if self._known is None:
                if not self._cluster.topics([self._topic]):
                    spec = TopicSpec(self._topic, 1, compacted=True)
                    self._cluster.create({spec.name: topic_settings(spec, self._cluster.options)})
                records = self._cluster.read(self._topic, 0)
                self._known = {(r.key or b"").decode(): r.value.decode() for r in records if r.value is not None}
            return self._known
