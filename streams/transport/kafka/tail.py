"""Topics of a cluster, followed without a group (`streams.transport.tail`)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec

from streams.engine.runs import Record
from streams.errors import Retry, TopicChanged, TransportError
from streams.transport.kafka.cluster import Cluster, TopicFacts, given_headers
from streams.transport.kafka.header_names import read_any_header_name
from streams.transport.tail import Grown, Place, Tail, TailFrom, share_of

__all__ = ["ClusterTail"]

_CHECK_SECONDS = 10.0
"""How often the topics are looked at: one that was made again has another id, and its offsets begin anew."""

_FETCH_BYTES = 4 << 20


class ClusterTail(Tail):
    """A consumer of its own. While brokers are away it finds nothing, and goes on when they are back.

    Raises `TransportError` for a topic that does not exist, `Retry` where no broker answers.
    """

    def __init__(self, cluster: Cluster, topics: Sequence[TailFrom]) -> None:
        read_any_header_name()
        self._cluster = cluster
        self._facts = _known(cluster, [one.topic for one in topics])
        self._next = dict(_starts(cluster, topics, self._facts))
        self._most = {one.topic: share_of(one.most, self._facts[one.topic].partitions) for one in topics}
        self._checked = time.monotonic()
        with cluster.explained():
            self._consumer = _consumer(cluster, self._next)

    @property
    def epochs(self) -> Mapping[str, str]:
        return {name: facts.epoch for name, facts in self._facts.items()}

    @property
    def next_offsets(self) -> Mapping[Place, int]:
        return self._next

    def poll(self, wait_seconds: float) -> list[Grown]:
        self._check()
        with self._cluster.explained():
            fetched = self._consumer.poll(timeout_ms=int(wait_seconds * 1000))
            return [self._taken(place, records) for place, records in fetched.items() if records]

    def _taken(self, place: Any, fetched: Sequence[Any]) -> Grown:
        """The records, the newest of them where fewer are wanted; what waits before those is passed over."""
        key, most = (place.topic, place.partition), self._most[place.topic]
        end = self._consumer.highwater(place) or 0
        kept = fetched if most is None else [one for one in fetched if one.offset >= end - most]
        records = [Record(r.offset, r.key, r.value, r.timestamp, given_headers(r.headers)) for r in kept]
        following = ahead = fetched[-1].offset + 1
        if most is not None and end - following > most:
            ahead = end - most
            self._consumer.seek(place, ahead)
        self._next[key] = ahead
        return Grown(*key, records, ahead, len(fetched) - len(records) + ahead - following)

    def _check(self) -> None:
        if time.monotonic() - self._checked < _CHECK_SECONDS:
            return
        self._checked = time.monotonic()
        try:
            now = self._cluster.topics(list(self._facts))
        except (Retry, TransportError):
            return  # away: the consumer waits for it too
        for name, facts in self._facts.items():
            found = now.get(name)
            if found is None or (found.epoch, found.partitions) != (facts.epoch, facts.partitions):
                raise TopicChanged(f"topic {name} was deleted, made again or extended while it was followed")

    def close(self) -> None:
        self._consumer.close()


def _consumer(cluster: Cluster, places: Mapping[Place, int]) -> Any:
    consumer = cluster.open(
        KafkaConsumer,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=_FETCH_BYTES,
        max_poll_records=5_000,
    )
    wanted = {TopicPartition(*place): offset for place, offset in places.items()}
    consumer.assign(list(wanted))
    for place, offset in wanted.items():
        consumer.seek(place, offset)
    return consumer


def _known(cluster: Cluster, names: Sequence[str]) -> dict[str, TopicFacts]:
    found = cluster.topics(names)
    if missing := [name for name in names if name not in found]:
        raise TransportError(
            f"Kafka at {cluster.bootstrap} has no topic {missing[0]!r}: start the pipeline once, which creates it"
        )
    return found


def _starts(
    cluster: Cluster, topics: Sequence[TailFrom], known: Mapping[str, TopicFacts]
) -> Iterator[tuple[Place, int]]:
    places = [TopicPartition(one.topic, number) for one in topics for number in range(known[one.topic].partitions)]
    firsts, ends = cluster.offsets(places, OffsetSpec.EARLIEST), cluster.offsets(places)
    for one in topics:
        back = share_of(one.back, known[one.topic].partitions) if one.back else one.back
        for number in range(known[one.topic].partitions):
            place = TopicPartition(one.topic, number)
            begin = firsts[place] if back is None else max(firsts[place], ends[place] - back)
            yield (one.topic, number), one.at.get(number, begin)
