"""A Kafka cluster as `streams.transport.broker.Broker`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from kafka import TopicPartition
from kafka.admin import OffsetSpec

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.errors import StageTaken, TransportError
from streams.limits import RECORD_BYTES
from streams.transport.broker import WARN_AT, Broker, Late, TopicSpec, TopicState, setting_of
from streams.transport.kafka.cluster import Cluster
from streams.transport.kafka.notes import Notes
from streams.transport.kafka.options import KafkaOptions, bootstrap_of
from streams.transport.kafka.sender import Sender
from streams.transport.kafka.tail import ClusterTail
from streams.transport.kafka.topic_settings import require_size, topic_settings
from streams.transport.tail import Tail, TailFrom

__all__ = ["KafkaBroker"]


class KafkaBroker(Broker):
    """Reached at the first call. Threads may share one. Notes of progress are in `progress_topic`."""

    def __init__(self, url: str, options: KafkaOptions, progress_topic: str = "") -> None:
        self.url = url
        self.cluster = Cluster(bootstrap_of(url), options)
        self._sender = Sender(self.cluster)
        self._notes = Notes(self.cluster, self._sender, progress_topic)

    def ensure_topics(self, topics: Iterable[TopicSpec]) -> None:
        wanted = {topic.name: topic for topic in topics}
        known = self.cluster.topics(wanted)
        missing = [topic for name, topic in wanted.items() if name not in known]
        self._refuse_missing(missing)
        if missing:
            self.cluster.create({topic.name: topic_settings(topic, self.cluster.options) for topic in missing})
        for name, facts in (self.cluster.topics(wanted) if missing else known).items():
            if facts.partitions != wanted[name].partitions and not wanted[name].foreign:
                raise TransportError(
                    f"Kafka at {self.cluster.bootstrap} has topic {name} with {facts.partitions} partitions, and the "
                    f"settings ask for {wanted[name].partitions}: set what it has (MOODWIRE_PARTITIONS, "
                    "MOODWIRE_MENTIONS_PARTITIONS), or use a namespace or prefix of its own"
                )
        if known:
            configs = self.cluster.configs(known)
            sent = {name: config for name, config in configs.items() if wanted[name].written}
            require_size(sent, RECORD_BYTES, self.cluster.bootstrap)
            self._keep_retention([wanted[name] for name in known if not wanted[name].foreign], configs)

    def _refuse_missing(self, topics: Sequence[TopicSpec]) -> None:
        """Raises TransportError for a topic that others were to make: a mistyped name must not make another."""
        for topic in topics:
            if topic.foreign:
                raise TransportError(
                    f"Kafka at {self.cluster.bootstrap} has no topic {topic.name!r}: create it, or correct "
                    f"{setting_of(topic.foreign)}; moodwire creates only topics of its own"
                )

    def _keep_retention(self, topics: Sequence[TopicSpec], configs: Mapping[str, Mapping[str, str]]) -> None:
        for topic in topics:
            if topic.retention_ms is None or topic.compacted:
                continue
            if configs.get(topic.name, {}).get("retention.ms") != str(topic.retention_ms):
                self.cluster.configure(topic.name, {"retention.ms": str(topic.retention_ms)})

    def topic(self, name: str) -> TopicState:
        facts = self.cluster.topics([name]).get(name)
        if facts is None:
            raise TransportError(
                f"Kafka at {self.cluster.bootstrap} has no topic {name!r}: start the pipeline once, which creates it"
            )
        return TopicState(name, facts.partitions, facts.epoch)

    def names(self, prefix: str) -> list[str]:
        return sorted(name for name in self.cluster.topics() if name.startswith(prefix))

    def delete_topic(self, name: str) -> None:
        self.cluster.delete(name)

    def append(self, sends: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
        self._sender.send(sends)
        if progress:
            self._notes.write(progress)

    def check_writes(self) -> None:
        """Nothing to ask: a cluster's refusals are known to the producers, which retry."""

    def progress(self, key: str) -> str | None:
        return self._notes.get(key)

    def read(self, topic: str, partition: int, after: int = -1) -> Iterator[Record]:
        return self.cluster.read(topic, partition, after)

    def tail(self, topics: Sequence[TailFrom]) -> Tail:
        return ClusterTail(self.cluster, topics)

    def _places(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, p) for p in range(self.topic(topic).partitions)]

    def lags(self, group: str, topic: str) -> dict[int, int]:
        places = self._places(topic)
        done = self.cluster.committed(group, places)
        ends = self.cluster.offsets(places)
        fresh = [place for place in places if place not in done]
        starts = self.cluster.offsets(fresh, OffsetSpec.EARLIEST) | done
        return {place.partition: max(0, ends[place] - starts[place]) for place in places}

    @contextmanager
    def held(self, groups: Iterable[str]) -> Iterator[None]:
        for group, members in self.cluster.members(groups).items():
            if members:
                raise StageTaken(
                    f"Group {group} has {members} workers on Kafka at {self.cluster.bootstrap}: stop them first. One "
                    "that was killed is forgotten after MOODWIRE_KAFKA_SESSION_SECONDS."
                )
        yield

    @contextmanager
    def claim(self, name: str, topic: str) -> Iterator[Callable[[], None]]:
        from streams.transport.kafka.claim import Claim  # aiokafka's consumer, which few commands need

        held = Claim(self.cluster, name, topic)
        held.acquire()
        try:
            yield held.check
        finally:
            held.release()

    def late(self, now_ms: int, groups: Iterable[tuple[str, str]]) -> list[Late]:
        found = [late for group, topic in groups for late in self._late(now_ms, group, topic)]
        return sorted(found, key=lambda late: (not late.lost, -late.records))

    def _late(self, now_ms: int, group: str, topic: str) -> Iterator[Late]:
        settings = self.cluster.configs([topic]).get(topic, {})
        retention_ms = int(settings.get("retention.ms", "-1"))
        if retention_ms < 0 or "delete" not in settings.get("cleanup.policy", "delete"):
            return
        places = self._places(topic)
        done = self.cluster.committed(group, places)
        starts = self.cluster.offsets(places, OffsetSpec.EARLIEST)
        ends = self.cluster.offsets(places)
        young = self.cluster.offsets(places, now_ms - int(WARN_AT * retention_ms))
        for place in places:
            offset = done.get(place, 0)  # of a stage that has not read yet nothing is committed
            if offset < starts[place]:
                yield Late(group, topic, place.partition, starts[place] - offset, lost=True)
                continue
            in_danger = (young[place] if young[place] >= 0 else ends[place]) - offset
            if in_danger > 0:
                yield Late(group, topic, place.partition, in_danger)

    def close(self) -> None:
        self._sender.close()
        self.cluster.close()
