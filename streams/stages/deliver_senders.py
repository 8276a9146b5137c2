"""The senders of `deliver`: one for each receiver, so that none waits for another.

    what is due? ─► does this worker still own the partition? ─► attempt ─► row ─► what is due?

A result is written before the next attempt of its receiver begins. An attempt whose result could not be written, for
the process was killed meanwhile, is made again under the same id.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from alerts.delivery import (
    Channel,
    Delivered,
    Delivery,
    GiveUp,
    Notification,
    Planned,
    Receiver,
    RetryLater,
    Status,
    attempted,
    expired,
)
from streams.engine.observer import StageObserver
from streams.logs import get_logger
from streams.stages.deliver_book import Book
from streams.stages.deliver_desk import Desk

__all__ = ["LeaseCheck", "Senders"]

log = get_logger(__name__)

LeaseCheck = Callable[[], Awaitable[None]]
"""Raises unless this worker certainly owns its partitions."""

_LOOK_SECONDS = 60.0  # the wall clock may jump: no sleep is longer
_WRITE_AGAIN_SECONDS = 1.0


class Senders:
    """Attempts what is due. `deadline_ms` is how long after its planning a notification is tried."""

    def __init__(
        self,
        book: Book,
        channels: Iterable[Channel],
        check_lease: LeaseCheck,
        observer: StageObserver,
        deadline_ms: int,
    ) -> None:
        self._book = book
        self._channels = {channel.name: channel for channel in channels}
        self._check_lease = check_lease
        self._observer = observer
        self._deadline_ms = deadline_ms
        self._paused = False
        self._expires_ms: dict[str, int] = {}
        self._in_flight: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """The senders work until `stop`."""
        for name in self._channels:
            work = self._work(name, self._book.waker())
            # Of a context of its own: what a run's task knows of its run ends with it.
            task = asyncio.create_task(work, name=f"send {name}", context=contextvars.Context())
            self._tasks.append(task)

    async def stop(self) -> None:
        for task in (*self._tasks, *self._in_flight):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._in_flight, return_exceptions=True)
        self._tasks.clear()

    async def pause(self, within_seconds: float) -> None:
        """Begins no attempt until `resume`; those in flight finish, and write what came of them, within the bound."""
        self._paused = True
        if self._in_flight:
            _, late = await asyncio.wait(set(self._in_flight), timeout=within_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def resume(self) -> None:
        self._paused = False

    async def _work(self, name: str, woken: asyncio.Event) -> None:
        while True:
            woken.clear()
            wait = _LOOK_SECONDS
            try:
                wait = await self.turn(name)
            except Exception:  # the boundary: a fault here would end this receiver's notifications for good
                wait = _WRITE_AGAIN_SECONDS
                log.exception("Sender of notifications failed", channel=name, retry_seconds=wait)
            if wait > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await woken.wait()

    async def turn(self, name: str) -> float:
        """At most one attempt; the seconds until the next look, 0 when something may be due at once."""
        receiver, now_ms = self._book.receivers[name], self._book.clock()
        await self._expire(receiver, now_ms)
        found = self._first(name, now_ms)
        if found is None or self._paused:
            return _LOOK_SECONDS
        desk, plan = found
        if receiver.rests(now_ms):
            return _seconds(receiver.next_ms - now_ms)
        if not _is_due(plan, now_ms):
            return _seconds(plan.next_ms - now_ms)
        if wait_ms := receiver.pace.wait_ms(now_ms):
            return _seconds(wait_ms)
        try:
            await self._check_lease()
        except Exception as error:  # a lease that is lost or cannot be asked for: no attempt, whatever the reason
            log.info("Lease not confirmed: nothing sent", channel=name, error=error, retry_seconds=_WRITE_AGAIN_SECONDS)
            return _WRITE_AGAIN_SECONDS
        await self._unharmed(self._attempt(desk, plan, receiver))
        return 0.0

    def busy(self, name: str) -> bool:
        """Whether an attempt is under way, or due now."""
        receiver, now_ms = self._book.receivers[name], self._book.clock()
        if receiver.begun_ms:
            return True
        found = self._first(name, now_ms)
        held_back = receiver.rests(now_ms) or receiver.pace.wait_ms(now_ms) > 0
        return found is not None and not held_back and _is_due(found[1], now_ms)

    async def _unharmed(self, work: Awaitable[None]) -> None:
        """Does the work in a task that `pause` can wait for."""
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    def _first(self, name: str, now_ms: int) -> tuple[Desk, Planned] | None:
        """What comes next over all partitions: the oldest that is due, or that which is due first."""
        found = [(desk, plan) for desk in self._book.desks.values() if (plan := desk.deliveries.first(name))]
        return min(
            found,
            key=lambda one: (0 if _is_due(one[1], now_ms) else one[1].next_ms, one[1].since_ms),
            default=None,
        )

    async def _attempt(self, desk: Desk, plan: Planned, receiver: Receiver) -> None:
        attempt = max(plan.attempts, receiver.failures) + 1
        receiver.begun_ms = self._book.clock()
        try:
            answer = await self._notify(desk, plan, attempt)
        finally:
            receiver.begun_ms = 0
        now_ms = self._book.clock()
        now = desk.deliveries.get(plan.receiver, plan.notification) or plan  # somebody may have asked for it meanwhile
        after = attempted(now, answer, attempt, now_ms, self._deadline_ms, self._channels[plan.receiver].endpoint)
        receiver.heard(answer, attempt, now_ms)
        self._tell(after, answer)
        await self._settle(desk, [after])

    async def _notify(self, desk: Desk, plan: Planned, attempt: int) -> Delivery:
        try:
            message = self._book.message(desk, plan)
            if message is None:
                return GiveUp("what it says is not kept any more")
            notification = Notification(message, attempt, plan.told)
            return await self._channels[plan.receiver].notify(notification, self._book.clock())
        except Exception as error:  # a channel answers and does not raise; one that does costs this notification alone
            log.exception("Channel failed unexpectedly", channel=plan.receiver, alert=plan.alert, attempt=attempt)
            return RetryLater(60.0 * min(attempt, 60), f"{type(error).__name__}: {error}", down=False)

    async def _expire(self, receiver: Receiver, now_ms: int) -> None:
        """Settles what is past its deadline behind a receiver that this process has found to be down."""
        if not (receiver.tried and receiver.failing_ms) or now_ms < self._expires_ms.get(receiver.name, 0):
            return
        next_ms = now_ms + int(_LOOK_SECONDS * 1000)
        for desk in list(self._book.desks.values()):
            waiting = desk.deliveries.waiting_for(receiver.name)
            late = [plan for plan in waiting if plan.since_ms + self._deadline_ms <= now_ms]
            next_ms = min([next_ms, *(plan.since_ms + self._deadline_ms for plan in waiting if plan not in late)])
            settled = [expired(plan, receiver.problem, now_ms, self._deadline_ms) for plan in late]
            for plan in settled:
                self._tell(plan, None)
            if settled:
                await self._settle(desk, settled)
        self._expires_ms[receiver.name] = next_ms

    async def _settle(self, desk: Desk, plans: Sequence[Planned]) -> None:
        """Writes down what came of an attempt, as often as it takes: made again, it would be sent again."""
        while self._book.has(desk):
            try:
                return await self._book.write(desk, plans)
            except Exception as error:
                log.warning("Result of an attempt not written", error=error, retry_seconds=_WRITE_AGAIN_SECONDS)
                await asyncio.sleep(_WRITE_AGAIN_SECONDS)
        return None

    def _tell(self, plan: Planned, answer: Delivery | None) -> None:
        about = {"channel": plan.receiver, "alert": plan.alert, "version": plan.version, "attempts": plan.attempts}
        if isinstance(answer, Delivered):
            self._observer.notified(plan.receiver, "delivered")
        elif plan.status is Status.WAITING:
            self._observer.notified(plan.receiver, "retry")
            log.warning("Notification not delivered; retrying", **about, error=plan.problem)
        else:
            self._observer.notified(plan.receiver, "failed")
            log.error("Notification failed for good", **about, error=plan.problem)


def _is_due(plan: Planned, now_ms: int) -> bool:
    """Whether it may be attempted, as far as it decides: a clock that went back ends its wait."""
    return plan.down or not plan.updated_ms <= now_ms < plan.next_ms


def _seconds(ms: int) -> float:
    return min(max(ms, 1) / 1000, _LOOK_SECONDS)
