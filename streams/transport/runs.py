"""The consumer layer that hands agents runs: many records, one Faust event, one acknowledgement.

Faust spends about 90 microseconds of Python on an event, whatever is in it; a run shares them among up to 500
records. The layer also replaces Faust's bookkeeping of acknowledged offsets, which commits past messages in
flight (faust issue 606): here a partition's runs are committed strictly in the order in which they were
handed out. It knows no broker; a transport mixes it in over its own consumer.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, cast

import faust
from faust.transport.consumer import Consumer
from faust.types import TP, ConsumerMessage

from streams.engine.runs import Record, Run
from streams.logs import get_logger
from streams.transport import internals

__all__ = ["Lanes", "RunConsumer", "RunLimits", "RunSchema", "cut", "is_changelog", "size_bytes", "take_done"]

log = get_logger(__name__)

_LAST_COMMIT_SECONDS = 1.0
_MOST_AHEAD = 8


@dataclass(frozen=True, slots=True)
class RunLimits:
    """How large a run may be, and how many of one partition may be with its stage at once.

    More than one is handed out only while the partition holds more than it brought. Near the end the next run is
    cut when its stage is free, and brings all that came meanwhile: cut earlier, it would bring a few records, and those
    that came after it would wait for two runs.
    """

    records: int = 500
    size_bytes: int = 4 << 20
    in_flight: int = 2


class Lanes(Protocol):
    """Where runs wait for their stage; called when the flow stops and when partitions are revoked."""

    def drop_waiting(self) -> None:
        """Drops the runs that no stage has begun."""

    async def finish(self, within_seconds: float) -> None:
        """Ends what goes on beside the runs."""

    def forget(self, topic: str, partition: int) -> None:
        """The partition was revoked."""


class RunSchema(faust.Schema):
    """Hands the run to the agent as it is: decoding records is the stage's work."""

    def compile(self, app: Any, **_: Any) -> Any:
        create_event = app.create_event

        async def decode(message: Any, **_: Any) -> Any:
            return create_event(None, message.value, None, message)

        return decode


def cut(records: Sequence[Record], limits: RunLimits) -> Iterator[Sequence[Record]]:
    """Cuts consecutive records into runs within the limits; one record over the byte limit is a run alone."""
    start, size = 0, 0
    while start < len(records):  # by number alone, as long as that keeps the other limit
        piece = records[start : start + limits.records]
        if size_bytes(piece) > limits.size_bytes:
            break
        yield piece
        start += len(piece)
    for at, record in enumerate(records[start:], start):
        length = len(record.value) if record.value is not None else 0
        if at > start and (at - start >= limits.records or size + length > limits.size_bytes):
            yield records[start:at]
            start, size = at, 0
        size += length
    if start < len(records):
        yield records[start:]


def is_changelog(app: Any, tp: TP) -> bool:
    """Whether the partition is of a table's changelog."""
    return tp.topic in app.tables.changelog_topics


def size_bytes(records: Sequence[Record]) -> int:
    return sum(map(len, filter(None, [record.value for record in records])))


def take_done(handed: deque[int], acked: set[int]) -> int | None:
    """Takes the acknowledged runs off the front of `handed` and `acked`; the last offset of the last of them.

    A run behind one that is still in flight stays: committing past it would lose that one in a crash.
    """
    done: int | None = None
    while handed and handed[0] in acked:
        done = handed.popleft()
        acked.discard(done)
    return done


class RunConsumer(Consumer):
    """Mixin over a transport's consumer. The transport tells about its topics and takes offsets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits: RunLimits = getattr(self.app, "run_limits", RunLimits())
        self.lanes: Lanes | None = getattr(self.app, "lanes", None)
        #: Per partition the last offsets of the runs handed out and not yet committed, oldest first. Offsets,
        #: not messages: a reference to a message would keep `wait_empty` waiting for it.
        self._handed: dict[TP, deque[int]] = {}
        #: Per partition the offset after the last run handed out. Absent until the committed offset is known: Faust
        #: lets source partitions be read before it goes back to that, and would have the records read twice.
        self._next: dict[TP, int] = {}
        #: The partitions whose last run, when it was handed out, left something behind.
        self._behind: set[TP] = set()
        #: How many runs more than usual may be with their stage: one of them is held by a record that fails, and what
        #: follows tells whether that is the record's fault.
        self._ahead: dict[TP, int] = {}
        #: Counts the times that all positions were moved: what a fetch from before brings counts no more.
        self.seeks = 0
        #: The positions were moved and the flow has not gone on since: Faust empties its queues before it lets the
        #: flow go on, and a run in them would be lost.
        self._halted = False

    # -- what a transport tells

    def topic_epoch(self, topic: str) -> str:
        """The id of this incarnation of the topic."""
        raise NotImplementedError

    def known_end(self, tp: TP) -> int | None:
        """The offset that the partition's next record will get; None until the broker has reported it.

        Taken for 0 in the meantime, a partition with a backlog would be at its end, and event time would pass it by.
        """
        end: int = self.highwater(tp)
        return end

    def passed(self, tp: TP, offset: int) -> int:  # noqa: ARG002  # a log without gaps
        """Returns the offset up to which no record follows `offset`: some brokers' logs have offsets without one."""
        return offset

    def made_room(self) -> None:
        """A run was acknowledged: whoever waits for room to fetch looks again."""
        raise NotImplementedError

    def to_records(self, fetched: Sequence[Any]) -> Sequence[Record]:
        """The driver's records as ours."""
        raise NotImplementedError

    async def wait_for_room(self) -> None:
        """Every partition has as many runs with its stage as it may: waits until one is done."""
        raise NotImplementedError

    async def check_lease(self, event: Any | None = None) -> None:
        """Raises LeaseLost unless this worker still owns the event's partition, Retry when it cannot tell.

        A transport with several workers to a group asks its coordinator.
        """

    # -- handing out

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109  # faust's
        """Fetches once and yields runs; of changelog topics what recovery needs to see.

        What was fetched is handed out also when its partition has been paused meanwhile: it would be skipped. When it
        has been revoked meanwhile, even if it is assigned again, it is read again from the committed offset instead.
        """
        while not (self.flow_active or self.should_stop):
            await self.wait(self.can_resume_flow)
        seeks = self.seeks  # not before the flow: a rebalance moves the positions meanwhile, and what follows is new
        records, _ = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if not records or self.should_stop:
            return
        for tp, fetched in records.items():
            if not is_changelog(self.app, tp) and (seeks != self.seeks or tp not in self._next):
                continue
            for message in self._messages(tp, fetched):
                if not self.flow_active or generation != self.app.consumer_generation_id or seeks != self.seeks:
                    return  # what was fetched and not handed out is fetched again after the seek that follows
                if isinstance(message.value, Run):
                    self._handed.setdefault(tp, deque()).append(message.offset)
                    self._next[tp] = message.offset + 1
                    (self._behind.discard if message.value.reaches_end else self._behind.add)(tp)
                yield tp, message

    def _messages(self, tp: TP, fetched: Sequence[Any]) -> Iterator[ConsumerMessage]:
        self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
        if is_changelog(self.app, tp):
            return self._changelog_messages(tp, fetched)
        return self._run_messages(tp, self.to_records(fetched))

    def _changelog_messages(self, tp: TP, fetched: Sequence[Any]) -> Iterator[ConsumerMessage]:
        """One by one, as recovery reads keys; a table that takes pages gets this one, and Faust the last record."""
        table = next(table for table in self.app.tables.values() if table.changelog_topic_name == tp.topic)
        restore = getattr(table, "restore", None)
        if restore is None:
            return (self._to_message(tp, record) for record in fetched)
        records = self.to_records(fetched)
        restore(tp.partition, records)
        ends = self.passed(tp, records[-1].offset + 1) >= self.highwater(tp)
        return iter([self._to_message(tp, fetched[-1])] if ends else [])

    def _run_messages(self, tp: TP, records: Sequence[Record]) -> Iterator[ConsumerMessage]:
        partitions = self.topic_partitions(tp.topic) or 1
        epoch = self.topic_epoch(tp.topic)
        end = self.highwater(tp)
        for piece in cut(records, self.limits):
            last = piece[-1]
            after = last.offset + 1
            run_end = end if self.passed(tp, after) < end else after
            run = Run(tp.topic, tp.partition, partitions, epoch, piece, run_end)
            yield ConsumerMessage(
                tp.topic, tp.partition, last.offset, last.timestamp_ms / 1000, 1, None, None, run, None,
                0, 0, tp, generation_id=self.app.consumer_generation_id,
            )  # fmt: skip

    async def _wait_next_records(self, timeout: float) -> tuple[Any, set[TP] | None]:  # noqa: ASYNC109  # faust's
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        active = set(internals.active_partitions(self))
        roomy = {tp for tp in active if is_changelog(self.app, tp) or self._has_room(tp)}
        if not roomy:
            await self.wait_for_room()
            return {}, active
        return await self._getmany(active_partitions=roomy, timeout=timeout), active

    def _has_room(self, tp: TP) -> bool:
        if self._halted or tp not in self._next:
            return False
        limit = self.limits.in_flight if tp in self._behind else 1
        return self.in_flight(tp) < limit + self._ahead.get(tp, 0)

    def known(self) -> set[TP]:
        """Returns the source partitions whose committed offset is known: what is fetched of them follows on it."""
        return set(self._next)

    def look_ahead(self, event: Any) -> None:
        """The run waits for a later record of its partition: one more may be handed out, up to a bound."""
        tp: TP = event.message.tp
        if not self._has_room(tp):
            self._ahead[tp] = min(self._ahead.get(tp, 0) + 1, _MOST_AHEAD)
            self.made_room()

    def in_flight(self, tp: TP) -> int:
        """How many runs of the partition are handed out and not acknowledged."""
        handed = self._handed.get(tp)
        return len(handed) - len(internals.acked_index(self)[tp]) if handed else 0

    def at_end(self, topic: str, partition: int) -> bool:
        """Whether every record of the partition was handed out and acknowledged; False until its end is known."""
        tp = TP(topic, partition)
        end, begun = self.known_end(tp), self._next.get(tp)
        if not self.flow_active or self.in_flight(tp) or end is None or begun is None:
            return False
        return self.passed(tp, begun) >= end

    # -- acknowledging, in order

    def run_done(self, event: Any) -> None:
        """The run's effects are all acknowledged: its offset may be committed, after those before it."""
        event.ack()
        self._ahead.pop(event.message.tp, None)
        self.made_room()

    def run_dropped(self, event: Any) -> None:
        """The run will not be handled here: the flow does not wait for it, and it is not committed."""
        internals.unacked(self).discard(event.message)

    def _new_offset(self, tp: TP) -> int | None:
        handed = self._handed.get(tp)
        if handed is None:
            return self._passed_alone(tp) if tp in self._next else cast("int | None", super()._new_offset(tp))
        done = take_done(handed, internals.acked_index(self)[tp])
        if done is None:
            return None if handed else self._passed_alone(tp)
        acked = internals.acked(self)
        acked[tp] = [offset for offset in acked[tp] if offset > done]
        return done + 1 if handed else self.passed(tp, done + 1)

    def _passed_alone(self, tp: TP) -> int | None:
        """Returns the offset to commit where only offsets without a record follow what is done, or None."""
        begun = self._next[tp]
        passed = self.passed(tp, begun)
        return passed if passed > begun else None

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        """Also the partitions of which nothing was handed out yet: they may begin with offsets without a record."""
        found = set(super()._filter_tps_with_pending_acks(topics))
        return iter(found | {tp for tp in self._next if topics is None or tp in topics or tp.topic in topics})

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets inside a run, and those that compaction took, are no gaps."""

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Goes back to the committed offsets; what was handed out before counts no more."""
        self.seeks += 1
        self._halted = True
        self._next.clear()
        self._ahead.clear()
        for tp in list(self._handed):
            self._forget_handed(tp)
        committed: Mapping[TP, int] = await super().seek_to_committed()
        self._next.update(committed)
        return committed

    def resume_flow(self) -> None:
        super().resume_flow()
        self._halted = False
        self.made_room()

    def _forget_handed(self, tp: TP) -> None:
        self._handed.pop(tp, None)
        internals.acked(self).pop(tp, None)
        internals.acked_index(self).pop(tp, None)

    # -- stopping

    def stop_flow(self) -> None:
        super().stop_flow()
        if self.lanes is not None:
            self.lanes.drop_waiting()
        self.made_room()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finishes and commits the runs in hand before the base forgets what was acknowledged."""
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        await self.wait_empty()
        if self.lanes is not None:
            await self.lanes.finish(self.app.bound_seconds)
        for tp in revoked:
            self._forget_handed(tp)
            self._next.pop(tp, None)
        await super().on_partitions_revoked(revoked)
        if self.lanes is not None:
            for tp in revoked:
                self.lanes.forget(tp.topic, tp.partition)

    async def wait_empty(self) -> None:
        """Waits for the runs in hand, within the app's bound, and commits what is done.

        Faust's own takes a cancellation in places for the end of a wait, so a bound around it would not hold.
        """
        try:
            async with asyncio.timeout(self.app.bound_seconds):
                await self._all_acked()
                await self.commit()
        except TimeoutError:
            unacked = internals.unacked(self)
            log.warning("Runs left unfinished: the next worker repeats them", runs=len(unacked))
            unacked.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_COMMIT_SECONDS):
                    await self.commit()

    async def _all_acked(self) -> None:
        unacked = internals.unacked(self)
        while unacked and not self.should_stop:
            await self.commit()
            gc.collect()  # messages that are held no more leave the set
            if unacked:
                await self._next_ack()
                unacked.difference_update([message for message in unacked if message.acked])

    async def _next_ack(self) -> None:
        acknowledged = asyncio.get_running_loop().create_future()
        internals.expect_ack(self, acknowledged)
        try:
            async with asyncio.timeout(1.0):
                await acknowledged
        except TimeoutError:
            return
        finally:
            internals.expect_ack(self, None)

    async def maybe_wait_for_commit_to_finish(self) -> bool:
        """Waits for a commit that is under way, without taking one's own cancellation for its end."""
        committing = internals.commit_under_way(self)
        if committing is None:
            return False
        await asyncio.wait({committing})
        return not committing.cancelled()
