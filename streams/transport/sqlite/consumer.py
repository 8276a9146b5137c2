"""Faust's consumer of the embedded broker: one worker per group, so it is always assigned everything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from faust.transport.consumer import Consumer as BaseConsumer
from faust.types import TP, ConsumerMessage

from streams.engine.runs import Record
from streams.errors import BrokerDamaged, TransportError
from streams.logs import get_logger
from streams.transport import internals
from streams.transport.runs import RunConsumer, is_changelog
from streams.transport.sqlite.store import Commit, Store

__all__ = ["Consumer", "LogConsumer"]

log = get_logger(__name__)

#: How often another process's appends are looked for; this process's own wake the consumer at once.
_POLL_SECONDS = 0.05

_RETRY_SECONDS = 1.0

#: A changelog is read in larger pieces: its records are rows, and most of a page goes straight to memory.
_CHANGELOG_RECORDS = 2_000


class LogConsumer(BaseConsumer):
    """Reads the log record by record, as Faust's own drivers do."""

    fetch_records = 500
    fetch_bytes = 4 << 20

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wake = asyncio.Event()
        self._seen_changes = -1
        self._assigned: set[TP] = set()
        self._positions: dict[TP, int] = {}
        self._stop_listening: Callable[[], None] | None = None

    @property
    def store(self) -> Store:
        return cast("Store", self.transport.broker.store)

    @property
    def group(self) -> str:
        return cast("str", self.app.conf.id)

    async def on_start(self) -> None:
        self.transport.claim()
        loop = asyncio.get_running_loop()

        def appended() -> None:
            if not self._wake.is_set():
                loop.call_soon_threadsafe(self._wake.set)

        self._stop_listening = self.store.hub.listen(appended)
        await super().on_start()

    async def on_stop(self) -> None:
        await super().on_stop()
        if self._stop_listening is not None:
            self._stop_listening()
        self.transport.unclaim()

    def close(self) -> None:
        """Nothing to close: the file is the producer's and the other stages' too."""

    # -- assignment

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Takes all partitions of the topics, in a task: Faust waits for this call before it can assign."""
        tps = {TP(topic, p) for topic in topics for p in range(self._partitions_of(topic))}
        if tps != self._assigned:
            self.add_future(self._assign(tps))

    async def _assign(self, tps: set[TP]) -> None:
        self.app.on_rebalance_start()
        await self.on_partitions_revoked(set(self._assigned))
        sources = sorted({tp.topic for tp in tps if not is_changelog(self.app, tp)})
        await asyncio.to_thread(self.store.join, self.group, sources)
        self._assigned = tps
        self._tell_assignor(tps)
        self.app.consumer_generation_id += 1
        await self.on_partitions_assigned(set(tps), self.app.consumer_generation_id)

    def _tell_assignor(self, tps: set[TP]) -> None:
        """What Kafka's group protocol would have brought to Faust's assignor."""
        by_topic: dict[str, list[int]] = {}
        for topic, partition in sorted(tps):
            by_topic.setdefault(topic, []).append(partition)
        changelogs = {topic: parts for topic, parts in by_topic.items() if topic in self.app.tables.changelog_topics}
        sources = {topic: parts for topic, parts in by_topic.items() if topic not in changelogs}
        url = str(self.app.conf.canonical_url)
        assignor = self.app.assignor
        internals.assign(assignor, by_topic)
        assignor.changelog_distribution = {url: changelogs}
        assignor.external_topic_distribution = {url: sources}

    def assignment(self) -> set[TP]:
        return self._assigned

    # -- positions

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Moves every source partition to its group's committed offset."""
        committed = self.store.committed(self.group)
        found = {
            tp: committed.get((tp.topic, tp.partition), 0) for tp in self._assigned if not is_changelog(self.app, tp)
        }
        for tp, offset in found.items():
            first, end = self.store.bounds(tp.topic, tp.partition)
            if not first <= offset <= end:
                log.error(
                    "Committed offset is outside the topic: was the file restored from a backup? "
                    "The stage continues at the nearest offset",
                    group=self.group,
                    topic=tp.topic,
                    partition=tp.partition,
                    offset=offset,
                    first_offset=first,
                    end_offset=end,
                )
                found[tp] = min(max(offset, first), end)
        self._positions.update(found)
        return found

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        for tp, offset in partitions.items():
            self._positions[tp] = offset
            internals.place(self, tp, offset)

    async def _seek(self, partition: TP, offset: int) -> None:
        self._positions[partition] = offset

    async def position(self, tp: TP) -> int | None:
        return self._positions.get(tp)

    def highwater(self, tp: TP) -> int:
        return self.store.end_offset(tp.topic, tp.partition)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        return {tp: self.highwater(tp) for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return {tp: self.store.first_offset(tp.topic, tp.partition) for tp in partitions}

    def topic_partitions(self, topic: str) -> int | None:
        info = self.store.topics().get(topic)
        return info.partitions if info else None

    def _partitions_of(self, topic: str) -> int:
        partitions = self.topic_partitions(topic)
        if partitions is None:
            raise TransportError(f"The embedded broker has no topic {topic!r}: create it before the stage starts.")
        return partitions

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        if partition is not None or key is None:
            return partition
        return cast("int", self.app.producer.key_partition(topic, key).partition)

    # -- fetching

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[Record]]:  # noqa: ASYNC109  # faust's
        wanted = self._assigned if active_partitions is None else active_partitions
        self._wake.clear()
        found = self._fetch(wanted)
        if not found:
            await self._wait_for_appends(timeout)
        return found

    def _fetch(self, wanted: Iterable[TP]) -> dict[TP, list[Record]]:
        self._seen_changes = self.store.changes()
        found: dict[TP, list[Record]] = {}
        for tp in sorted(wanted):
            limit = _CHANGELOG_RECORDS if is_changelog(self.app, tp) else self.fetch_records
            position = self._positions.get(tp)
            if position is None:
                continue
            records = self.store.read(tp.topic, tp.partition, position, limit, self.fetch_bytes)
            if records:
                found[tp] = records
                self._positions[tp] = records[-1].offset + 1
        return found

    async def _wait_for_appends(self, at_most_seconds: float) -> None:
        """Until this process appends, the flow stops, another process commits, or the time is over."""
        for _ in range(max(1, round(at_most_seconds / _POLL_SECONDS))):
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._wake.wait()
                return
            except TimeoutError:
                if self.should_stop or self.store.changes() != self._seen_changes:
                    return

    def stop_flow(self) -> None:
        super().stop_flow()
        self._wake.set()

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Partitions that may be read again must not wait for the end of a fetch from the others."""
        super().resume_partitions(tps)
        self._wake.set()

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    def _to_message(self, tp: TP, record: Record) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic, tp.partition, record.offset, record.timestamp_ms / 1000, 1, list(record.headers),
            record.key, record.value, None, None, None, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    # -- committing

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commits durably; while the file refuses (a full disk), tries again until the stage stops."""
        commit = Commit(self.group, {(tp.topic, tp.partition): offset for tp, offset in offsets.items()})
        while True:
            try:
                await self.transport.broker.writer.commit(commit)
            except BrokerDamaged:
                raise  # no later attempt can succeed
            except TransportError as error:
                log.error("Offsets not committed", group=self.group, error=error, retry_seconds=_RETRY_SECONDS)
            else:
                return True
            if self.should_stop or self.app.should_stop:
                return False
            await self.sleep(_RETRY_SECONDS)

    async def create_topic(self, *args: Any, **kwargs: Any) -> None:
        await self.app.producer.create_topic(*args, **kwargs)


class Consumer(RunConsumer, LogConsumer):
    """Hands agents runs of the log."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fetch_records = self.limits.records
        self.fetch_bytes = self.limits.size_bytes

    def topic_epoch(self, topic: str) -> str:
        return self.store.topics()[topic].epoch

    def to_records(self, fetched: Sequence[Any]) -> Sequence[Record]:
        return fetched

    def made_room(self) -> None:
        self._wake.set()

    async def wait_for_room(self) -> None:
        self._wake.clear()
        await self._wait_for_appends(_POLL_SECONDS)
