"""Topics of the embedded broker, followed without a group (`streams.transport.tail`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from streams.errors import TopicChanged
from streams.transport.sqlite.log import TopicInfo
from streams.transport.sqlite.store import Store
from streams.transport.tail import Grown, Place, Tail, TailFrom, first_wanted, share_of

__all__ = ["StoreTail"]

_RECORDS = 500
"""Of a partition at once, where all are wanted."""

_POLL_SECONDS = 0.1
"""How often appends of other processes are looked for; those of this one wake the reader."""


class StoreTail(Tail):
    """Reads on from its own offsets. Raises `TransportError` for a topic that does not exist."""

    def __init__(self, store: Store, topics: Sequence[TailFrom]) -> None:
        self._store = store
        known = {one.topic: _known(store, one.topic) for one in topics}
        self._epochs = {name: info.epoch for name, info in known.items()}
        self._next = dict(_starts(store, topics, known))
        self._most = {one.topic: share_of(one.most, known[one.topic].partitions) for one in topics}
        self._woken = threading.Event()
        self._stop_listening = store.hub.listen(self._woken.set)

    @property
    def epochs(self) -> Mapping[str, str]:
        return self._epochs

    @property
    def next_offsets(self) -> Mapping[Place, int]:
        return self._next

    def poll(self, wait_seconds: float) -> list[Grown]:
        until = time.monotonic() + wait_seconds
        while True:
            self._woken.clear()
            changes = self._store.changes()
            if (found := self._look()) or time.monotonic() >= until:
                return found
            self._wait(changes, until)

    def _wait(self, changes: int, until: float) -> None:
        """Until this process appends, another one commits, or the time is over."""
        while (left := until - time.monotonic()) > 0 and not self._woken.wait(min(_POLL_SECONDS, left)):
            if self._store.changes() != changes:
                return

    def _look(self) -> list[Grown]:
        self._check()
        found = (self._read(topic, partition) for topic, partition in self._next)
        return [grown for grown in list(found) if grown is not None]

    def _read(self, topic: str, partition: int) -> Grown | None:
        place, most = (topic, partition), self._most[topic]
        begin = self._next[place]
        first, end = self._store.bounds(topic, partition)
        if end <= begin:
            return None
        start = first_wanted(begin, first, end, most)
        records = self._store.read(topic, partition, start, _RECORDS if most is None else most)
        self._next[place] = records[-1].offset + 1 if records else end
        return Grown(topic, partition, records, self._next[place], start - begin)

    def _check(self) -> None:
        known = self._store.topics()
        for topic, epoch in self._epochs.items():
            if topic not in known or known[topic].epoch != epoch:
                raise TopicChanged(f"topic {topic} was deleted or made again while it was followed")

    def close(self) -> None:
        self._stop_listening()


def _known(store: Store, topic: str) -> TopicInfo:
    with_name = store.topics()
    if topic not in with_name:
        store.epoch(topic)  # raises, and says what to do
    return with_name[topic]


def _starts(store: Store, topics: Sequence[TailFrom], known: Mapping[str, TopicInfo]) -> Iterator[tuple[Place, int]]:
    for one in topics:
        back = share_of(one.back, known[one.topic].partitions) if one.back else one.back
        for partition in range(known[one.topic].partitions):
            first, end = store.bounds(one.topic, partition)
            begin = first if back is None else max(first, end - back)
            yield (one.topic, partition), one.at.get(partition, begin)
