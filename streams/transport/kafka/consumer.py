"""Faust's consumer for Kafka, handing agents runs.

aiokafka runs in a thread and an event loop of its own (Faust's way), so that heartbeats go on while a stage
computes. What crosses over: fetches, offsets, heartbeats on demand.

    thread   fetcher ── one run per partition ──┐        heartbeat ──▶ lease
    main loop                                   └▶ RunConsumer ──▶ lanes ── check_lease(): is the lease fresh?
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import Service

from streams.engine.runs import Record
from streams.errors import LeaseLost, Retry, TransportError
from streams.logs import get_logger
from streams.transport.asking import ask
from streams.transport.kafka.cluster import TopicFacts
from streams.transport.kafka.consumer_thread import ConsumerThread
from streams.transport.kafka.instances import is_fenced
from streams.transport.kafka.lease import Lease
from streams.transport.runs import RunConsumer

__all__ = ["Consumer"]

log = get_logger(__name__)

_LOOK_SECONDS = 5.0  # how often topics are looked at: one may have been deleted and made again


class Consumer(RunConsumer, driver.Consumer):
    """Hands agents runs of a Kafka topic."""

    reader: ConsumerThread  # made by Faust's `__init__`

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lease = Lease(self.app.conf.broker_session_timeout)
        self._facts: dict[str, TopicFacts] = {}
        self._began_with: dict[str, int] = dict(self.app.made_for)  # partitions of each topic

    def _new_consumer_thread(self) -> ConsumerThread:
        self.reader = ConsumerThread(self, loop=self.loop, beacon=self.beacon)
        return self.reader

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's look for slow streams: it knows nothing of runs, and falls over a partition without a position."""

    def verify_recovery_event_path(self, now: float, tp: TP) -> None:
        """As above."""

    # -- topics

    async def subscribe(self, topics: Iterable[str]) -> None:
        names = set(topics)
        await self._look_at(names)
        await super().subscribe(names)

    async def _look_at(self, names: set[str]) -> None:
        cluster = self.transport.cluster
        found = await ask(lambda: cluster.topics(names), "topics")
        if missing := names - found.keys():
            raise TransportError(
                f"Kafka at {cluster.bootstrap} has no topic {min(missing)!r}: create it before the stage starts."
            )
        self._facts.update(found)
        for name, facts in found.items():
            self._began_with.setdefault(name, facts.partitions)

    @Service.task
    async def _watch_group(self) -> None:
        """A worker that its group has lost for good ends, so that its supervisor starts it again."""
        while not self.should_stop:
            await self.sleep(1.0)
            error = self.reader.group_error()
            if error is not None and not self.should_stop and not self.app.should_stop:
                await self.crash(TransportError(f"Stage {self.app.conf.id} {self._why_out(error)}"))
                return

    def _why_out(self, error: BaseException) -> str:
        if is_fenced(error):
            return (
                f"ends: another process uses the instance name {self.app.kafka.instance!r} (MOODWIRE_KAFKA_INSTANCE); "
                "give each process a name of its own"
            )
        return f"fell out of its group: {error!r}"

    @Service.task
    async def _watch_topics(self) -> None:
        """A topic that was deleted and made again: begin it anew. For one that has grown, end."""
        while not self.should_stop:
            await self.sleep(_LOOK_SECONDS)
            known = {name: facts.epoch for name, facts in self._facts.items()}
            if not known or self.app.rebalancing or self.should_stop:
                continue
            try:
                await self._look_at(set(known))
            except (TransportError, Retry) as error:
                log.warning("Topics could not be checked", group=self.app.conf.id, error=error)
                continue
            again = sorted(name for name, epoch in known.items() if self._facts[name].epoch != epoch)
            if again:
                log.warning("Topic was created again; it is read from its first record", topic=", ".join(again))
                await self.reader.run_here(self.reader.rejoin())
            elif grown := next((name for name in known if self._facts[name].partitions > self._began_with[name]), None):
                await self._end_for(grown)
                return

    async def _end_for(self, topic: str) -> None:
        """The stage's rows have a place for the partitions that it started with: started anew it has one for all."""
        now, before = self._facts[topic].partitions, self._began_with[topic]
        problem = f"topic {topic} has {now} partitions, and had {before} when this worker started: start it again"
        await self.crash(TransportError(f"Stage {self.app.conf.id} ends: {problem}"))

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        await self._look_until_seen({tp.topic for tp in assigned})
        await super().on_partitions_assigned(assigned, generation_id)

    async def _look_until_seen(self, names: set[str]) -> None:
        """Also when a broker is away just now: aiokafka would only log what is raised here."""
        while names and not self.should_stop:
            try:
                await self._look_at(names)
            except (TransportError, Retry) as error:
                log.warning("Topics could not be checked", group=self.app.conf.id, error=error, retry_seconds=1.0)
                await self.sleep(1.0)
            else:
                return

    def topic_epoch(self, topic: str) -> str:
        return self._facts[topic].epoch

    def topic_partitions(self, topic: str) -> int | None:
        facts = self._facts.get(topic)
        return facts.partitions if facts else None

    def to_records(self, fetched: Sequence[Any]) -> Sequence[Record]:
        return fetched

    def _to_message(self, tp: TP, record: Record) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic, tp.partition, record.offset, record.timestamp_ms / 1000, 1, list(record.headers),
            record.key, record.value, None, None, None, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    # -- room

    def known_end(self, tp: TP) -> int | None:
        return self.reader.known_end(tp)

    def passed(self, tp: TP, offset: int) -> int:
        return self.reader.passed(tp, offset)

    def made_room(self) -> None:
        self.reader.wake()

    async def wait_for_room(self) -> None:
        """Meanwhile fetches are taken in: they wait for a stage here, not at the broker."""
        await self.reader.getmany(None, 1.0)

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        super().resume_partitions(tps)
        self.made_room()

    # -- the lease

    async def check_lease(self, event: Any | None = None) -> None:
        message = None if event is None else event.message
        if message is not None and message.generation_id != self.app.consumer_generation_id:
            raise LeaseLost("the partitions were assigned again after this run was read")
        if not self.lease.fresh:
            await self._answered(self.reader.run_here(self.reader.check_lease()))

    async def _answered(self, asked: Awaitable[None]) -> None:
        try:
            await asked
        except KafkaError as error:
            raise Retry(f"Kafka's group coordinator: {error}", 1.0) from error
