"""The partitions of `deliver` that this worker has, with their rows: all that it writes down goes through here.

put, acknowledged ─► memory follows ─► senders and copier are woken
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from alerts import AlertEvent
from alerts.delivery import Planned, Receiver, ReceiverState, redirected
from alerts.delivery.group import AlertGroup
from streams.engine.ports import StateStore
from streams.logs import get_logger
from streams.stages.deliver_desk import Desk, Written
from streams.stages.deliver_journal import empty_journal
from streams.stages.deliver_judging import MakeJudge
from streams.stages.deliver_rows import (
    DECISION_PREFIX,
    EVENT_PREFIX,
    PARTITION_KEY,
    VIEW_PREFIX,
    PartitionRow,
    decoded_body,
    decoded_decision,
    encoded_plan,
    event_key,
    plan_key,
)
from streams.wall_clock import MINUTE_MS, wall_clock_ms

__all__ = ["Book"]

log = get_logger(__name__)

_COPIED = (DECISION_PREFIX, VIEW_PREFIX)
_ANSWER_MS = 10 * MINUTE_MS
"""Whoever decided something reads the answer from the rows within this time."""


class Book:
    """Desks by partition, and what is known of the receivers.

    `endpoints` are those of the channels by name; `make_judge` makes a partition's judge from its rows; `clock` gives
    the wall clock in ms.
    """

    def __init__(
        self,
        state: StateStore,
        endpoints: Mapping[str, str],
        make_judge: MakeJudge,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._state = state
        self._make_judge = make_judge
        self.clock = clock
        self._endpoints = endpoints
        self.receivers = {name: Receiver(name) for name in endpoints}
        self.desks: dict[int, Desk] = {}
        self._wakers: list[asyncio.Event] = []

    def waker(self) -> asyncio.Event:
        """An event that is set whenever something has changed."""
        event = asyncio.Event()
        self._wakers.append(event)
        return event

    def wake(self) -> None:
        for event in self._wakers:
            event.set()

    async def open(self, partition: int) -> Desk:
        """The partition's desk. The first time its rows are read: what waits for receivers that are gone is dropped,
        what waits for one whose address is another now is due at once.

        Then the judge's rows, all that waits and the partition's row are written again: from then on what a worker that
        had the partition before writes late of them is stale. A judge whose last decisions were not written down is
        made anew from its rows.
        """
        desk = self.desks.get(partition)
        if desk is not None:
            await self._resume(desk)
            return desk
        desk, judged = Desk.restored(partition, self._state.items(partition), self._make_judge)
        gone = desk.without_receivers(list(self.receivers), self.clock())
        for name in sorted({plan.receiver for plan in gone}):
            count = sum(1 for plan in gone if plan.receiver == name)
            log.warning(
                "Notifications dropped: channel not configured", channel=name, notifications=count, partition=partition
            )
        # Alone and first: from here on a predecessor's journal is ahead of it, and makes up for rows that follow.
        await self._state.put(partition, {PARTITION_KEY: desk.row.encoded()})
        row = msgspec.structs.replace(desk.row, own_offset=judged.own_offset)
        await self.write(
            desk, [*gone, *self._kept(desk)], before=judged.stored, row=row, after=empty_journal(row.own_offset)
        )
        for plan in desk.deliveries:
            if (receiver := self.receivers.get(plan.receiver)) is not None:
                receiver.restore(plan)
        self.desks[partition] = desk
        self.wake()
        return desk

    async def _resume(self, desk: Desk) -> None:
        """Finishes the write that failed, if one did, and makes a judge that is ahead of its rows from them.

        The log may have a part of that write, which only the same rows are sure to cover.
        """
        if desk.unfinished is not None:
            await self.write(desk, **desk.unfinished)
            desk.unfinished = None
        if not desk.judge.is_there:
            desk.judge.restore(dict(self._state.items(desk.number)), desk.row.own_offset)

    async def judged(self, desk: Desk, written: Written) -> None:
        """Writes what was judged; when it fails, before anything else is judged."""
        try:
            await self.write(desk, **written)
        except BaseException:
            desk.unfinished = written
            raise

    def _kept(self, desk: Desk) -> Iterator[Planned]:
        now_ms = self.clock()
        for name, endpoint in self._endpoints.items():
            waiting = desk.deliveries.waiting_for(name)
            kept = [redirected(plan, endpoint, now_ms) for plan in waiting]
            moved = sum(new != old for new, old in zip(kept, waiting, strict=True))
            if moved:
                log.info(
                    "Notifications redirected: the channel has a new address",
                    channel=name,
                    notifications=moved,
                    partition=desk.number,
                )
            yield from kept

    def try_now(self, receivers: Iterable[str]) -> None:
        """Somebody asked for notifications of these: a back-off ends with one attempt."""
        for name in receivers:
            self.receivers[name].asked()
        self.wake()

    def close(self, partition: int) -> None:
        """The partition is another worker's now."""
        self.desks.pop(partition, None)

    def has(self, desk: Desk) -> bool:
        return self.desks.get(desk.number) is desk

    async def write(
        self,
        desk: Desk,
        plans: Iterable[Planned],
        *,
        before: Mapping[str, bytes | None] | None = None,
        bodies: Mapping[str, bytes] | None = None,
        row: PartitionRow | None = None,
        after: Mapping[str, bytes | None] | None = None,
    ) -> None:
        """Writes what notifications say, notifications, the rows `before` the partition's, this, and those `after` it,
        in this order; memory follows. Raises as `put` does, then nothing has changed in memory.
        """
        async with desk.lock:
            first = desk.deliveries.next_revision(self.clock())
            changed = [msgspec.structs.replace(plan, revision=first + n) for n, plan in enumerate(plans)]
            rows: dict[str, bytes | None] = {event_key(name): body for name, body in (bodies or {}).items()}
            rows |= {plan_key(plan): encoded_plan(plan) for plan in changed}
            rows |= before or {}
            if row is not None:
                rows[PARTITION_KEY] = row.encoded()
            rows |= after or {}
            await self._state.put(desk.number, rows)
            desk.row = row or desk.row
            for plan in changed:
                desk.take(plan)
            for key, value in rows.items():
                if value and key.startswith(_COPIED):
                    desk.outgoing[key] = value
                    if key.startswith(DECISION_PREFIX):
                        desk.heard(decoded_decision(value))
        self.wake()

    def message(self, desk: Desk, plan: Planned) -> AlertEvent | AlertGroup | None:
        """What a notification says; None when it is not kept any more."""
        body = self._state.get(desk.number, event_key(plan.notification))
        return decoded_body(body) if body is not None else None

    async def copied(self, desk: Desk, copied: Mapping[str, bytes]) -> None:
        """The archive has these decisions and views: views that have not changed since are deleted."""
        async with desk.lock:
            same = [key for key, row in copied.items() if desk.outgoing.get(key) == row]
            views: dict[str, bytes | None] = dict.fromkeys(key for key in same if key.startswith(VIEW_PREFIX))
            await self._state.put(desk.number, views)
            for key in same:
                row = desk.outgoing.pop(key)
                if key not in views:
                    desk.answered[key] = decoded_decision(row).at_ms

    async def prune(self, desk: Desk) -> None:
        """Deletes what need not be kept, and writes down how far the archive's copy is."""
        async with desk.lock:
            keys = [key for key, _ in self._state.items(desk.number)]
            bodies = {key.removeprefix(EVENT_PREFIX) for key in keys if key.startswith(EVENT_PREFIX)}
            events, plans = desk.spent(bodies, self.clock())
            lost = sum(1 for plan in plans if (plan.receiver, plan.notification) in desk.dirty)
            row = msgspec.structs.replace(desk.row, copied=desk.copied_up_to)
            now_ms = self.clock()
            read = [key for key, at_ms in desk.answered.items() if now_ms - at_ms >= _ANSWER_MS]
            deleted: dict[str, bytes | None] = dict.fromkeys([*map(event_key, events), *map(plan_key, plans), *read])
            if row != desk.row:
                deleted[PARTITION_KEY] = row.encoded()
            await self._state.put(desk.number, deleted)
            desk.row = row
            desk.forget(plans)
            for key in read:
                del desk.answered[key]
        if lost:
            log.error("Notifications deleted before the archive had them", partition=desk.number, notifications=lost)

    def states(self) -> list[ReceiverState]:
        """How each receiver does, over the partitions here."""
        return [self._state_of(receiver) for receiver in self.receivers.values()]

    def _state_of(self, receiver: Receiver) -> ReceiverState:
        waiting = [plan for desk in self.desks.values() for plan in desk.deliveries.waiting_for(receiver.name)]
        failing = [plan.failing_ms for plan in waiting if plan.failing_ms]
        since = [at for at in (receiver.failing_ms, receiver.begun_ms, *failing) if at]
        problem = receiver.problem or next((plan.problem for plan in waiting if plan.problem), "")
        return ReceiverState(
            receiver.name,
            len(waiting),
            min((plan.since_ms for plan in waiting), default=None),
            min(since, default=None),
            problem,
        )
