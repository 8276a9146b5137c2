"""A right that one process of a cluster has at a time, held by being the member of a consumer group that holds it.

The group's assignor gives all partitions of a topic to one member: to the one that has them, whoever joins later. Who
gets none was too late. A process that was killed is forgotten with its session; one that was paused for longer finds
out before it writes. Nothing is read from the topic, and no offset is committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import KafkaError

from streams.errors import LeaseLost, Retry, StageTaken
from streams.transport import internals
from streams.transport.kafka.cluster import Cluster
from streams.transport.kafka.lease import Lease
from streams.transport.kafka.ordered import never_create_topics
from streams.transport.loop_thread import LoopThread
from streams.wall_clock import DAY_MS

__all__ = ["Claim", "Holder"]

_NEVER_MS = 30 * DAY_MS
_RETRY_SECONDS = 5.0
_LEAVE_SECONDS = 2.0


class Holder:
    """Assigns everything to the member that has held it, the latest of several; if none has, to the first by name.

    Two members may both have held it: the earlier one was silent for longer than its session.
    """

    name = "moodwire-holder"

    def __init__(self) -> None:
        self.since_ms = 0

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        return ConsumerProtocolMemberMetadata(0, list(topics), str(self.since_ms).encode())

    def assign(
        self, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        holder = min(members, key=lambda member: (-int(members[member].user_data or 0), member))
        found = {topic: sorted(cluster.partitions_for_topic(topic) or ()) for topic in members[holder].subscription}
        return {
            member: ConsumerProtocolMemberAssignment(0, list(found.items()) if member == holder else [], b"")
            for member in members
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """The listener hears of it."""


class _Listener(ConsumerRebalanceListener):
    def __init__(self, claim: Claim) -> None:
        self._claim = claim

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002  # aiokafka's call
        self._claim.ask_again()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._claim.answered(set(assigned))


class Claim:
    """The right called `group`, over a topic that exists. To be acquired, checked before each write, released."""

    def __init__(self, cluster: Cluster, group: str, topic: str) -> None:
        self._cluster, self._group, self._topic = cluster, group, topic
        self._session_seconds = cluster.options.session_seconds
        self._lease = Lease(self._session_seconds)
        self._holder = Holder()
        self._thread = LoopThread(f"claim {group}")
        self._answered = asyncio.Event()
        self._consumer: Any = None
        self._held = self._lost = False

    def acquire(self) -> None:
        """Returns when it is this process's; raises StageTaken when another has it, Retry without a broker."""
        try:
            self._thread.call(self._join)
            if not self._held:
                raise StageTaken(f"Group {self._group} on Kafka at {self._cluster.bootstrap} has a holder.")
        except BaseException:
            self.release()
            raise

    def check(self) -> None:
        """Raises LeaseLost when another process may have had it since, Retry when the cluster cannot be asked."""
        if self._lost or not (self._held and self._lease.fresh and self._answered.is_set()):
            self._thread.call(self._confirm)

    def release(self) -> None:
        """Gives it back; the next process has it at once."""
        if self._thread.running:
            self._thread.call(self._leave)
            self._thread.close()

    # -- in the group

    def ask_again(self) -> None:
        """The group is given out anew; its members keep what they have until they hear."""
        self._answered.clear()

    def answered(self, assigned: set[TopicPartition]) -> None:
        """The group is given out."""
        if assigned:
            self._consumer.pause(*assigned)
            self._holder.since_ms = self._holder.since_ms or int(self._lease.now()[1] * 1000)
        else:
            self._holder.since_ms = 0
        self._held = bool(assigned)
        self._answered.set()

    async def _join(self) -> None:
        never_create_topics()
        session_ms = int(self._session_seconds * 1000)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._cluster.bootstrap,
            **self._cluster.options.security.options(),
            group_id=self._group,
            enable_auto_commit=False,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // 4,
            rebalance_timeout_ms=session_ms,
            max_poll_interval_ms=_NEVER_MS,
            partition_assignment_strategy=[self._holder],
        )
        self._consumer.subscribe([self._topic], listener=_Listener(self))
        try:
            async with asyncio.timeout(self._cluster.options.timeout_seconds + 2 * self._session_seconds):
                started = self._lease.now()
                await self._consumer.start()
                internals.wrap_heartbeat(self._consumer, lambda beat: self._lease.renewed_by(beat, self._refused))
                await self._answered.wait()
                self._lease.renew(started)
        except (KafkaError, TimeoutError) as error:
            raise Retry(
                f"Kafka at {self._cluster.bootstrap}: group {self._group} cannot be joined: "
                f"{type(error).__name__}: {error}",
                _RETRY_SECONDS,
            ) from error

    def _refused(self) -> None:
        """A heartbeat was not answered with yes."""
        if internals.coordinator(self._consumer).generation < 0:
            # The group went on without this process; another may have held it since.
            self._lost, self._holder.since_ms = True, 0

    async def _confirm(self) -> None:
        if not (self._lost or self._lease.fresh):
            await internals.beat(self._consumer)
        if not self._lost and await self._within(self._answered.wait()) and self._held and self._lease.fresh:
            return
        if self._lost or (self._answered.is_set() and not self._held):
            raise LeaseLost(f"{self._group}: this process was silent for longer than its session, and has lost it")
        raise Retry(f"Kafka at {self._cluster.bootstrap} does not say who holds {self._group}", _RETRY_SECONDS)

    async def _within(self, waiting: Awaitable[object]) -> bool:
        try:
            async with asyncio.timeout(2 * self._session_seconds):
                await waiting
        except TimeoutError:
            return False
        return True

    async def _leave(self) -> None:
        if self._consumer is not None:
            await asyncio.wait({asyncio.ensure_future(self._consumer.stop())}, timeout=_LEAVE_SECONDS)
