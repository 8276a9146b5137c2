"""What runs beside aiokafka, in a thread and an event loop of its own: fetching, positions, the group.

aiokafka's fetcher ─► kept, until a stage is free ─► the main loop
         only what was fetched under the present assignment
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.engine.runs import Record
from streams.errors import LeaseLost, Retry
from streams.logs import get_logger
from streams.transport import internals
from streams.transport.kafka.cluster import given_headers
from streams.transport.kafka.instances import keep_member_id
from streams.transport.runs import is_changelog, size_bytes

__all__ = ["ConsumerThread"]

log = get_logger(__name__)

T = TypeVar("T")

_LEAVE_SECONDS = 1.0
_CHANGELOG_RECORDS = 5_000

#: How long a broker holds a fetch that finds less than `_FETCH_BYTES`. Until it answers, aiokafka asks it for no other
#: partition's records, and what else is asked over the connection waits as well. Without a wait, each few records are
#: a fetch of their own: a third of what the broker did at 460 items a second.
_FETCH_WAIT_MS = 20
_FETCH_BYTES = 65_536


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """What runs beside aiokafka, in its thread's event loop."""

    _fetching: asyncio.Event | None = None  # set to end a fetch that waits for records

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wakes = 0
        self._kept: dict[TP, _Kept] = {}  # fetched and not handed to the main loop
        self._gaps: dict[TP, tuple[int, int]] = {}  # the offset after the last record fetched, and where reading is
        self._kept_under: Any = None  # the assignment under which they were fetched

    async def on_start(self) -> None:
        await super().on_start()
        self._fetching = asyncio.Event()
        consumer = internals.open_consumer(self)
        internals.wrap_heartbeat(consumer, self.consumer.lease.renewed_by)
        if self.app.kafka.instance is not None:
            keep_member_id(internals.coordinator(consumer))

    async def on_thread_stop(self) -> None:
        """Leaves the group; without a broker to hear it the session ends by itself.

        aiokafka, closing while a broker is away, raises the cancellation of a fetch of its own: taken for ours, it
        would end this thread unannounced, and the app would wait a minute for it.
        """
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await super().on_thread_stop()
        except (TimeoutError, asyncio.CancelledError):
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            log.warning("Left the consumer group without notice: its broker is unreachable", group=self.app.conf.id)
            await internals.client(internals.open_consumer(self)).close()

    async def run_here(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the thread, from the main loop; nothing that waits there holds it up."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.thread_loop))

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        internals.set_fetching(
            consumer,
            wait_ms=_FETCH_WAIT_MS,
            min_bytes=_FETCH_BYTES,
            isolation_level="read_committed",  # what a producer took back was never news
        )
        return consumer

    # -- fetching

    async def getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109  # faust's
        wanted, seeks, wakes = active_partitions or set(), self.consumer.seeks, self._wakes
        return await self.run_here(self._fetch(wanted, timeout, seeks, wakes))

    async def _fetch(
        self, wanted: set[TP], at_most_seconds: float, seeks: int, wakes: int
    ) -> dict[TP, Sequence[Record]]:
        """Of each wanted partition the records of as many runs as there is room for; waits when there are none."""
        consumer = internals.open_consumer(self)
        if internals.is_stopped(consumer):
            raise ConsumerStoppedError
        fetcher = internals.fetcher(consumer)
        assert self._fetching is not None
        until = self.thread_loop.time() + at_most_seconds
        with internals.reading(fetcher).fetch_context():
            while True:
                self._forget_stale(fetcher)
                await self._keep(fetcher, wanted, seeks)
                found = self._take(fetcher, wanted, seeks)
                left = until - self.thread_loop.time()
                self._fetching.clear()
                if found or left <= 0 or wakes != self._wakes or not self.consumer.flow_active:
                    return found
                await self._wait_for_records(fetcher, left)

    def _forget_stale(self, fetcher: Any) -> None:
        """Partitions were given out anew: what was kept of them is read again, from the committed offsets."""
        subscription = internals.reading(fetcher).subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is not self._kept_under:
            self._forget_fetched()
            self._kept_under = assignment

    def _forget_fetched(self) -> None:
        self._kept.clear()
        self._gaps.clear()

    async def _keep(self, fetcher: Any, wanted: set[TP], seeks: int) -> None:
        """Takes what was fetched out of aiokafka's hands, which asks for no more of a partition while it holds some.

        So a run brings all that has come until its stage is free, not what came until the first record was fetched.
        """
        limits = self.consumer.limits
        unread = internals.fetched(fetcher)
        for tp in sorted(unread.keys() & (wanted | self.consumer.known())):
            if not self._may_take(fetcher, seeks):
                return
            most = _CHANGELOG_RECORDS if is_changelog(self.app, tp) else limits.records * limits.in_flight
            kept = self._kept.get(tp, _Kept())
            if len(kept) < most and kept.size_bytes < limits.size_bytes * limits.in_flight:
                internals.make_records(unread[tp], _record)
                began = _position(fetcher, tp)
                fetched = await fetcher.fetched_records({tp}, 0, max_records=most - len(kept))
                for key, records in fetched.items():
                    self._kept.setdefault(TP(*key), _Kept()).add(records)
                self._note_gap(TP(*tp), began, fetched.get(tp, ()), _position(fetcher, tp))

    def _note_gap(self, tp: TP, began: int | None, records: Sequence[Record], position: int | None) -> None:
        """Markers of transactions, records taken back and compacted ones have offsets, and are never handed out."""
        if began is None or position is None:
            return
        after = records[-1].offset + 1 if records else self._gaps.get(tp, (began, began))[0]
        self._gaps[tp] = (after, position)

    def _take(self, fetcher: Any, wanted: set[TP], seeks: int) -> dict[TP, Sequence[Record]]:
        """Takes nothing while positions are being moved: the main loop would not take it."""
        if not self._may_take(fetcher, seeks):
            return {}
        return {tp: self._taken(tp) for tp in sorted(wanted & self._kept.keys())}

    def _taken(self, tp: TP) -> Sequence[Record]:
        limits, kept = self.consumer.limits, self._kept.pop(tp)
        most = limits.records * max(1, limits.in_flight - self.consumer.in_flight(tp))
        if is_changelog(self.app, tp) or len(kept) <= most:
            return kept.records
        rest = self._kept[tp] = _Kept()
        rest.add(kept.records[most:])
        return kept.records[:most]

    def _may_take(self, fetcher: Any, seeks: int) -> bool:
        moving = internals.reading(fetcher).reassignment_in_progress
        return bool(self.consumer.flow_active and not moving and seeks == self.consumer.seeks)

    async def _wait_for_records(self, fetcher: Any, at_most_seconds: float) -> None:
        """Until something was fetched, `wake` was called, or the time is over."""
        assert self._fetching is not None
        arrived: asyncio.Future[Any] = internals.fetch_waiter(fetcher)
        woken: asyncio.Future[Any] = asyncio.ensure_future(self._fetching.wait())
        try:
            await asyncio.wait({arrived, woken}, timeout=at_most_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            if not arrived.done():
                arrived.cancel()
        if arrived.done() and not arrived.cancelled():
            arrived.result()  # raises what the fetcher met: a missing permission, say

    def wake(self) -> None:
        """Ends a fetch that waits for records, also one that is only on its way; from the main loop."""
        self._wakes += 1
        fetching = self._fetching
        if fetching is not None and not fetching.is_set() and self.thread_loop.is_running():
            self.thread_loop.call_soon_threadsafe(fetching.set)

    # -- positions

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        return await self.run_here(self._commit(offsets))

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commits; False when the group has gone on without this worker, which then does the work again.

        aiokafka goes on trying while the coordinator is away.
        """
        mine = self.assignment()
        wanted = {driver.ensure_aiokafka_TP(tp): (offset, "") for tp, offset in offsets.items() if tp in mine}
        try:
            await internals.open_consumer(self).commit(wanted)
        except (CommitFailedError, IllegalStateError) as error:
            log.warning("Offsets not committed: another worker has the partitions", group=self.app.conf.id, error=error)
            return False
        return True

    async def _seek_wait(self, consumer: Any, partitions: Mapping[TP, int]) -> None:
        for tp in partitions:
            self._kept.pop(tp, None)
            self._gaps.pop(tp, None)
        await super()._seek_wait(consumer, partitions)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        return await self.run_here(self._seek_to_committed())

    async def _seek_to_committed(self) -> dict[TP, int]:
        """Moves every source partition to its group's committed offset, or to the nearest that there is."""
        consumer = internals.open_consumer(self)
        tps = [tp for tp in consumer.assignment() if not is_changelog(self.app, tp)]
        if not tps:
            return {}
        first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        committed = await internals.coordinator(consumer).fetch_committed_offsets(tps)
        found = {}
        for tp in tps:
            offset = committed[tp].offset if tp in committed and committed[tp].offset >= 0 else first[tp]
            if not first[tp] <= offset <= end[tp]:
                log.error(
                    "Committed offset is outside the topic: retention removed it, or the topic was created again. "
                    "The stage continues at the nearest offset",
                    group=self.app.conf.id,
                    topic=tp.topic,
                    partition=tp.partition,
                    offset=offset,
                    first_offset=first[tp],
                    end_offset=end[tp],
                )
                offset = min(max(offset, first[tp]), end[tp])
            consumer.seek(tp, offset)
            found[TP(*tp)] = offset
        self._forget_fetched()
        return found

    # -- the group

    def group_error(self) -> BaseException | None:
        """Why this worker takes part in its group no more, or None. aiokafka would tell those who read through it."""
        return internals.group_error(internals.group_member(self))

    async def check_lease(self) -> None:
        """Asks the coordinator whether this worker is still a member; raises LeaseLost, or Retry when it is away."""
        consumer = internals.open_consumer(self)
        coordinator = internals.coordinator(consumer)
        if coordinator.generation > 0 and await internals.beat(consumer):
            return
        if coordinator.generation > 0:
            raise Retry("Kafka's group coordinator does not answer, so nothing is written", 1.0)
        raise LeaseLost("the group went on without this worker: it was silent for longer than its session")

    async def rejoin(self) -> None:
        """Asks for the partitions anew: all positions are looked up again."""
        consumer = internals.open_consumer(self)
        await internals.client(consumer).force_metadata_update()
        internals.coordinator(consumer).request_rejoin()

    def passed(self, tp: TP, offset: int) -> int:
        """Returns the offset that reading is at, where no record is between `offset` and that; else `offset`."""
        after, position = self._gaps.get(tp, (offset, offset))
        return max(offset, position) if after <= offset else offset

    def highwater(self, tp: TP) -> int:
        """The end of the partition as last heard; 0 until it was heard."""
        return self.known_end(tp) or 0

    def known_end(self, tp: TP) -> int | None:
        """The end of the partition as the last fetch of this assignment reported it; None before."""
        consumer = internals.open_consumer(self)
        if tp not in consumer.assignment():
            return None
        end: int | None = consumer.highwater(driver.ensure_aiokafka_TP(tp))
        return end


class _Kept:
    """Records of one partition that were fetched and not handed over."""

    __slots__ = ("records", "size_bytes")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self.records)

    def add(self, records: Sequence[Record]) -> None:
        self.records += records
        self.size_bytes += size_bytes(records)


def _position(fetcher: Any, tp: Any) -> int | None:
    """Returns the offset that is read next; None while it is not known."""
    subscription = internals.reading(fetcher).subscription
    state = None if subscription is None or subscription.assignment is None else subscription.assignment.state_value(tp)
    position: int | None = None if state is None or not state.has_valid_position else state.position
    return position


def _record(_: Any, read: Any) -> Record:
    headers = read.headers
    return Record(read.offset, read.key, read.value, read.timestamp, given_headers(headers) if headers else ())
