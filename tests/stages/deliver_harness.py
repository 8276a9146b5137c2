"""The stage `deliver` in a world of fakes: rows and an archive that survive crashes, receivers that remember, a clock.

Every effect burns a fuse: rows one by one, a receiver's taking of a notification before and after, the archive's copy.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import msgspec

from alerts import AlertEvent
from alerts.delivery import Delivered, Delivery, Notification, Rate, RetryLater, back_off_seconds
from alerts.delivery.group import AlertGroup, GroupChange
from alerts.judge import Effects, Entry, Event, Plan
from streams.archive.memory import MemoryArchive
from streams.archive.protocol import StoredNotification
from streams.engine.runs import Record, Run
from streams.errors import Retry
from streams.stages.deliver import DeliverStage
from tests.alerts.delivery_event import NOW_MS, delivery_event
from tests.engine.positions_harness import FakeState, Fuse

HOUR_MS = 3_600_000
EPOCH = "e1"


class Death(BaseException):
    """The process dies here; no handler of errors sees it."""


@dataclass
class Mortal(Fuse):
    """A fuse whose end nothing survives."""

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Death


@dataclass
class Wall:
    """The wall clock."""

    now_ms: int = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class FakeReceiver:
    """Keeps what it took, in order; `answer` says what it says, else it takes everything."""

    name: str
    fuse: Fuse = field(default_factory=Fuse)
    answer: Callable[[Notification, int], Delivery] = lambda notification, now_ms: Delivered()
    taken: list[str] = field(default_factory=list)
    attempts: list[tuple[str, int, int]] = field(default_factory=list)
    endpoint: str = ""

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        self.fuse.burn()
        self.attempts.append((notification.id, notification.attempt, now_ms))
        answer = self.answer(notification, now_ms)
        if isinstance(answer, Delivered):
            self.taken.append(notification.id)
        self.fuse.burn()  # it has it, and we die before we know
        return answer

    async def aclose(self) -> None: ...

    def dies(self) -> None:
        self.answer = down


@dataclass
class SlowReceiver(FakeReceiver):
    """Takes nothing before it is told to: `begun` is set by its first attempt, which waits for `goes_on`."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        self.begun.set()
        await self.goes_on.wait()
        return await super().notify(notification, now_ms)


def down(notification: Notification, now_ms: int) -> Delivery:
    return RetryLater(back_off_seconds(notification), "no connection")


class FussyArchive(MemoryArchive):
    """Refuses while it is away."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self.fuse = fuse
        self.away = False

    async def record_notifications(self, notifications: Sequence[StoredNotification]) -> None:
        self.fuse.burn()
        if self.away:
            raise Retry("away", 5)
        await super().record_notifications(notifications)
        self.fuse.burn()


class PassingJudge:
    """Passes every change but updates on at once, to all receivers, each as a group of its own; it sends none twice."""

    now_ms = 0
    lagging = ()
    away = ()
    next_timer_ms = None

    def __init__(self, receivers: Sequence[str], rows: Mapping[str, bytes]) -> None:
        self._receivers = receivers
        self._known = {key: int(row) for key, row in rows.items()}
        self._dirty: dict[str, bytes | None] = {}

    def apply(self, entry: Entry, position: int) -> Effects:
        effects = Effects()
        if isinstance(entry, Event):
            event, key = entry.alert, f"j/a/{entry.alert.id}"
            if event.revision > self._known.get(key, 0):
                self._known[key] = event.revision
                self._dirty[key] = b"%d" % event.revision
                if event.change != "ongoing":
                    effects.plans = [Plan(name, group_of(event, name)) for name in self._receivers]
        return effects

    def take_rows(self) -> dict[str, bytes | None]:
        rows, self._dirty = self._dirty, {}
        return rows


def group_of(event: AlertEvent, receiver: str) -> AlertGroup:
    """A group of one under the event's own name."""
    changes = {"opened": GroupChange.OPENED, "resolved": GroupChange.RESOLVED}
    return AlertGroup(
        id=event.id, revision=event.revision, receiver=receiver, labels={}, alerts=(event,),
        change=changes.get(event.change, GroupChange.UPDATED), severity=event.severity, opened_ms=event.onset_ms,
        at_ms=event.updated_ms, firing=1, resolved=0,
    )  # fmt: skip


@dataclass
class World:
    """One worker of one partition; `stage` is None after a crash."""

    receivers: list[FakeReceiver]
    fuse: Fuse = field(default_factory=Mortal)
    wall: Wall = field(default_factory=Wall)
    deadline_ms: int = 72 * HOUR_MS
    rates: Mapping[str, Rate] = field(default_factory=dict)
    stage: DeliverStage | None = None

    def __post_init__(self) -> None:
        self.state = FakeState(self.fuse)
        self.archive = FussyArchive(self.fuse)
        for receiver in self.receivers:
            receiver.fuse = self.fuse

    def worker(self) -> DeliverStage:
        if self.stage is None:
            self.stage = DeliverStage(
                self.archive,
                self.receivers,
                self.state,
                partial(PassingJudge, [receiver.name for receiver in self.receivers]),
                clock=self.wall,
                deadline_ms=self.deadline_ms,
                rates=self.rates,
            )
        return self.stage

    async def plan(self, *events: AlertEvent, first: int = 0, epoch: str = EPOCH) -> None:
        await self.worker().handle(run_of(events, first, epoch))

    async def send(self, rounds: int = 100) -> None:
        """Everything that is due now, receiver by receiver; time stands still."""
        stage = self.worker()
        await stage.idle(0, self.wall())
        for receiver in self.receivers:
            for _ in range(rounds):
                if await stage.senders.turn(receiver.name) > 0:
                    break

    async def copy(self) -> None:
        stage = self.worker()
        await stage.idle(0, self.wall())
        while await stage.copier.turn() == 0:
            pass

    def statuses(self, receiver: str) -> Counter[str]:
        return Counter(
            plan.status.value for plan in self.worker().book.desks[0].deliveries if plan.receiver == receiver
        )

    async def copied(self, receiver: str) -> Counter[str]:
        return Counter(one.state for one in await self.archive.notifications(channel=receiver, limit=100_000))


def run_of(events: Sequence[AlertEvent], first: int = 0, epoch: str = EPOCH) -> Run:
    records = [Record(first + number, b"k", event.to_json(), 0) for number, event in enumerate(events)]
    return Run("alerts", 0, 1, epoch, records, first + len(records))


def events_of(rng: random.Random, alerts: int, most: int = 4) -> list[AlertEvent]:
    """Events of some alerts as `watch` sends them: versions in order, alerts mixed, times that never go back; some are
    sent twice, as after a crash of `watch`.
    """
    left = [(f"a{number}", iter(range(1, rng.randint(1, most) + 1))) for number in range(alerts)]
    events: list[AlertEvent] = []
    while left:
        name, versions = rng.choice(left)
        version = next(versions, None)
        if version is None:
            left.remove((name, versions))
            continue
        change = rng.choice(("escalated", "ongoing", "resolved")) if version > 1 else "opened"
        event = msgspec.structs.replace(
            delivery_event(name, version), change=change, updated_ms=NOW_MS + len(events) * 30_000
        )
        events.append(event)
        if rng.random() < 0.15:
            events += events[-rng.randint(1, 3) :]
    return events


__all__ = [
    "EPOCH",
    "HOUR_MS",
    "Death",
    "FakeReceiver",
    "FussyArchive",
    "PassingJudge",
    "Wall",
    "World",
    "down",
    "events_of",
    "group_of",
    "run_of",
]
