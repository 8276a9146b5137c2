"""Which notification is due, to which receiver, and when the next one is. Pure: one partition's, in memory.

    plan(…) ──► Planned, to be written down ──► take ──► due(receiver, now) ──► attempt ──► settled(…) ──► take ──► …

Order: an alert's notifications reach a receiver in the order of its events; between alerts the oldest that is due
comes first, and of those that one record caused the one that is about the earliest time. A notification that its
receiver refuses holds back the later ones of the same alert and nothing else; one that some of the receiver's
addresses have holds back only others of that kind, since these addresses want the next ones. A receiver that is down
holds back all of its own: one notification probes it, at the back-off of all its failures.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from alerts.delivery.channel import Delivery, RetryLater
from alerts.delivery.pace import Pace
from alerts.delivery.planned import Planned, Status, wait_ms

__all__ = ["Deliveries", "Receiver", "ReceiverState"]


@dataclass(frozen=True, slots=True)
class ReceiverState:
    """How a receiver does, for people: `oldest_ms` is when the oldest waiting notification was planned (None without
    one), `failing_ms` since when attempts fail or one hangs (None while they do not), `problem` why they fail.
    """

    name: str
    waiting: int = 0
    oldest_ms: int | None = None
    failing_ms: int | None = None
    problem: str = ""


@dataclass(slots=True)
class Receiver:
    """What a worker knows of a receiver, over all partitions.

    `failures` in a row, since `failing_ms`; nothing is sent before `next_ms`. `tried` says that the last of them was
    seen by this process rather than read from rows. `begun_ms` is when the attempt in flight began; `once_more` says
    that another is to follow it at once. `pace` is how often it may be sent something.
    """

    name: str
    failures: int = 0
    failing_ms: int = 0
    next_ms: int = 0
    failed_ms: int = 0
    problem: str = ""
    tried: bool = False
    begun_ms: int = 0
    once_more: bool = False
    pace: Pace = field(default_factory=Pace)

    def rests(self, now_ms: int) -> bool:
        """Whether it is too early for an attempt; a clock that went back ends a rest."""
        return self.failed_ms <= now_ms < self.next_ms

    def heard(self, answer: Delivery, attempt: int, now_ms: int) -> None:
        """Attempt number `attempt` of some notification was answered."""
        self.tried = True
        self.pace.sent(now_ms)
        if isinstance(answer, RetryLater) and answer.down:
            self.failures += 1
            self.failing_ms = self.failing_ms or now_ms
            wait = 0 if self.once_more else wait_ms(answer.after_seconds, attempt)
            self.failed_ms, self.next_ms = now_ms, now_ms + wait
            self.problem = answer.problem
        else:  # it took the notification, or refused this one alone
            self.failures = self.failing_ms = self.failed_ms = self.next_ms = 0
            self.problem = ""
        self.once_more = False

    def restore(self, plan: Planned) -> None:
        """A row read after a restart: the receiver is as its last probe left it."""
        if plan.attempts and not self.tried:
            self.pace.sent(plan.updated_ms)
        if plan.status is Status.WAITING and plan.down and plan.next_ms > self.next_ms:
            self.failures = max(self.failures, plan.attempts)
            self.failing_ms = min(self.failing_ms or plan.failing_ms, plan.failing_ms)
            self.failed_ms, self.next_ms, self.problem = plan.updated_ms, plan.next_ms, plan.problem

    def asked(self) -> None:
        """Somebody wants a notification sent again: one attempt begins at once, whatever the back-off."""
        self.next_ms = 0
        self.once_more = self.begun_ms > 0  # the attempt in flight may have failed before the receiver was well


_Queue = tuple[str, bool]
"""What waits in its order: an alert's notifications, apart from those that a part of the receiver's addresses has."""


class Deliveries:
    """The notifications of one partition, waiting and settled. A change is taken once it is written down."""

    def __init__(self, planned: Iterable[Planned] = ()) -> None:
        self._known: dict[tuple[str, str], Planned] = {}
        self._events: dict[str, list[int]] = {}
        self._waiting: dict[str, dict[_Queue, list[tuple[int, int]]]] = {}
        self._counts: dict[str, int] = {}
        self._heaps: dict[str, list[tuple[int, int, int, str, int]]] = {}
        self.revision = 0
        for plan in sorted(planned, key=lambda plan: plan.order):
            self.take(plan)

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Planned]:
        return iter(self._known.values())

    def get(self, receiver: str, notification: str) -> Planned | None:
        return self._known.get((receiver, notification))

    def order_of(self, notification: str) -> int | None:
        """The order under which the event was planned first, for the receivers of then; None: it was not."""
        orders = self._events.get(notification)
        return orders[0] if orders else None

    def next_revision(self, now_ms: int) -> int:
        """Later than every one before, also than those of notifications that were forgotten."""
        return max(self.revision + 1, now_ms)

    def take(self, plan: Planned) -> None:
        """The notification is this from now on."""
        key = (plan.receiver, plan.notification)
        before = self._known.get(key)
        if before is None:
            insort(self._events.setdefault(plan.notification, []), plan.order)
        elif before.status is Status.WAITING:
            self._stops_waiting(before)
        self._known[key] = plan
        self.revision = max(self.revision, plan.revision)
        if plan.status is Status.WAITING:
            self._waits(plan)

    def forget(self, plan: Planned) -> None:
        """The notification is settled and known no longer."""
        if self._known.pop((plan.receiver, plan.notification), None) is not None:
            orders = self._events[plan.notification]
            orders.remove(plan.order)
            if not orders:
                del self._events[plan.notification]

    # -- what is due

    def first(self, receiver: str) -> Planned | None:
        """The notification to attempt next, due or not; the earlier ones of its alert are settled."""
        heap = self._heaps.get(receiver, [])
        while heap:
            due_ms, order, _, alert, version = heap[0]
            plan = self._known.get((receiver, f"{alert}.{version}"))
            if plan is not None and self._is_head(plan) and (_due_ms(plan), plan.order) == (due_ms, order):
                return plan
            heapq.heappop(heap)  # settled, put off, or behind an earlier one that is waiting again
        return None

    def waiting(self, receiver: str) -> int:
        return self._counts.get(receiver, 0)

    def receivers(self) -> list[str]:
        """Those that something waits for."""
        return [name for name, count in self._counts.items() if count]

    def waiting_for(self, receiver: str) -> list[Planned]:
        """Everything that waits, oldest first."""
        alerts = self._waiting.get(receiver, {})
        found = [
            self._known[receiver, f"{alert}.{version}"] for (alert, _), queue in alerts.items() for _, version in queue
        ]
        return sorted(found, key=lambda plan: plan.order)

    def _is_head(self, plan: Planned) -> bool:
        queue = self._waiting.get(plan.receiver, {}).get(_queue_of(plan))
        return plan.status is Status.WAITING and queue is not None and queue[0] == (plan.order, plan.version)

    def _waits(self, plan: Planned) -> None:
        queue = self._waiting.setdefault(plan.receiver, {}).setdefault(_queue_of(plan), [])
        insort(queue, (plan.order, plan.version))
        self._counts[plan.receiver] = self._counts.get(plan.receiver, 0) + 1
        self._push_head(plan.receiver, _queue_of(plan))

    def _stops_waiting(self, plan: Planned) -> None:
        alerts = self._waiting[plan.receiver]
        queue = alerts[_queue_of(plan)]
        queue.remove((plan.order, plan.version))
        self._counts[plan.receiver] -= 1
        if not queue:
            del alerts[_queue_of(plan)]
        self._push_head(plan.receiver, _queue_of(plan))

    def _push_head(self, receiver: str, of: _Queue) -> None:
        queue = self._waiting[receiver].get(of)
        if not queue:
            return
        head = self._known.get((receiver, f"{of[0]}.{queue[0][1]}"))
        if head is not None:
            entry = (_due_ms(head), head.order, head.at_ms, head.alert, head.version)
            heapq.heappush(self._heaps.setdefault(receiver, []), entry)


def _due_ms(plan: Planned) -> int:
    """A probe that failed waits for its receiver alone, and goes first again: its attempts count on."""
    return 0 if plan.down else plan.next_ms


def _queue_of(plan: Planned) -> _Queue:
    return plan.alert, bool(plan.told.had)
