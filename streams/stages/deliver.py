"""The stage `deliver`: what the judge decides of alerts goes to its receivers, each at its own pace.

    run ─► judged, planned, as rows ─► the offset is committed     deliver_judging, deliver_desk, deliver_book
              ├─► a sender for each receiver ─► channel ─► rows    deliver_senders
              └─► a copy of the rows for reading ─► archive        deliver_copier

Planning needs the broker alone, so neither a dead channel nor an archive that is away holds the partition. What is
planned reaches its channel at least once, under the same id in every attempt; a second time only when the process died
after the channel had it and before its row was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

import msgspec

from alerts.delivery import Channel, Planned, Rate, ReceiverState
from alerts.delivery.pace import Pace
from streams.archive.protocol import Archive
from streams.engine.observer import NoObserver, StageObserver
from streams.engine.ports import StateStore
from streams.engine.runs import Record, Run
from streams.errors import Reject
from streams.serving.control import Watched
from streams.stages.deliver_book import Book
from streams.stages.deliver_clerk import Clerk
from streams.stages.deliver_copier import Copier
from streams.stages.deliver_desk import Desk, Step
from streams.stages.deliver_journal import journaled
from streams.stages.deliver_judging import Caused, MakeJudge, copied_rows, watched_in
from streams.stages.deliver_senders import LeaseCheck, Senders
from streams.wall_clock import HOUR_MS, wall_clock_ms

__all__ = ["DEADLINE_MS", "DELIVERIES", "DeliverStage"]

DELIVERIES: Final = "notifications"
"""The name of the stage's table."""

DEADLINE_MS: Final = 72 * HOUR_MS

_WRITE_BYTES = 512 << 10
_WRITE_PLANS = 500


PublishWatched = Callable[[Sequence[Watched]], Awaitable[None]]
"""Tells the workers of `score` which watchlists were changed."""


async def _to_none(_: Sequence[Watched]) -> None:
    """Nobody follows watchlists."""


async def _always() -> None:
    """A stage that shares its partitions with nobody holds them."""


class DeliverStage:
    """Judges runs of the topic `alerts`; as an async context manager it also sends and copies until it is left.

    `make_judge` makes a partition's judge from its rows. `check_lease` raises unless this worker still owns its
    partitions; `clock` gives the wall clock in ms; `deadline_ms` is how long a notification is tried. `rates` are how
    often receivers, by name, may be sent something. `shared`: others write to the topic too, and their records are
    passed over. `make_clerk` makes what writes decisions and the clock into the topic, `publish` writes what people
    changed of watchlists into `control`.
    """

    def __init__(
        self,
        archive: Archive,
        channels: Sequence[Channel],
        state: StateStore,
        make_judge: MakeJudge,
        *,
        check_lease: LeaseCheck = _always,
        clock: Callable[[], int] = wall_clock_ms,
        observer: StageObserver | None = None,
        deadline_ms: int = DEADLINE_MS,
        rates: Mapping[str, Rate] | None = None,
        shared: bool = False,
        make_clerk: Callable[[Book], Clerk] | None = None,
        publish: PublishWatched = _to_none,
    ) -> None:
        self._shared = shared
        self._publish = publish
        endpoints = {channel.name: channel.endpoint for channel in channels}
        if len(endpoints) < len(channels):
            raise ValueError(f"channels need names of their own: {', '.join(channel.name for channel in channels)}")
        self.book = Book(state, endpoints, make_judge, clock)
        for name, rate in (rates or {}).items():
            self.book.receivers[name].pace = Pace(rate)
        self.senders = Senders(self.book, channels, check_lease, observer or NoObserver(), deadline_ms)
        self.copier = Copier(self.book, archive)
        self.clerk = make_clerk(self.book) if make_clerk is not None else None
        self._beside: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self.senders.start()
        self._beside.append(asyncio.create_task(self.copier.run(), name="copy notifications"))
        if self.clerk is not None:
            self._beside.append(asyncio.create_task(self.clerk.run(), name="forward decisions"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.senders.stop()
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        self._beside.clear()

    def receivers(self) -> list[ReceiverState]:
        """How each receiver does, as far as this worker's partitions go."""
        return self.book.states()

    @property
    def is_done(self) -> bool:
        """Whether nothing is to be sent or copied now: what waits is for a receiver or an archive that refuses it."""
        return not self.copier.behind and not any(map(self.senders.busy, self.book.receivers))

    async def handle(self, run: Run) -> None:
        desk = await self._open(run.partition)
        try:
            await self._handle(desk, run)
        except BaseException:
            desk.judge.forget()  # it is ahead of what was written
            raise

    async def _handle(self, desk: Desk, run: Run) -> None:
        base, receivers = desk.begun(run.epoch).base(run.epoch), list(self.book.receivers)
        part = _Part()
        for record in run.records:
            caused = self._caused(desk, record, base)
            if caused is None:
                continue
            if part.ends_before(caused):
                await self._write(desk, run.epoch, part)
                part = _Part()
            part.add(caused, desk.step(caused, receivers, self.book.clock()))
        await self._write(desk, run.epoch, part)

    def _caused(self, desk: Desk, record: Record, base: int) -> Caused | None:
        """Raises `Reject` for a record that is no alert, unless it may well be somebody else's."""
        try:
            return desk.caused(record, base)
        except Reject:
            if self._shared:
                return None
            raise

    async def _write(self, desk: Desk, epoch: str, part: _Part) -> None:
        if part.own_offset is None:
            return
        row = msgspec.structs.replace(desk.begun(epoch), own_offset=part.own_offset)
        rows = part.copies | journaled(part.own_offset, part.changed)  # the journal last: a redo ends there
        if part.watched:  # before the rows: a redo publishes the same again
            await self._publish(part.watched)
        await self.book.judged(desk, {"plans": part.plans, "before": rows, "bodies": part.bodies, "row": row})
        self.book.try_now(part.asked)

    async def idle(self, partition: int, now_ms: int) -> None:  # noqa: ARG002  # senders look at the clock themselves
        """After a restart what waits goes on, also when no alert comes."""
        await self._open(partition)

    async def _open(self, partition: int) -> Desk:
        known = partition in self.book.desks
        desk = await self.book.open(partition)
        if not known:
            self.senders.resume()
        return desk

    async def finish(self, within_seconds: float) -> None:
        """Before partitions are given up or the process ends: attempts in flight get so long, no other begins."""
        await self.senders.pause(within_seconds)

    def forget(self, partition: int) -> None:
        self.book.close(partition)


class _Part:
    """What is written together."""

    def __init__(self) -> None:
        self.own_offset: int | None = None
        self.plans: list[Planned] = []
        self.bodies: dict[str, bytes] = {}
        self.changed: dict[str, bytes | None] = {}
        self.copies: dict[str, bytes | None] = {}
        self.asked: set[str] = set()
        self.watched: list[Watched] = []
        self._names: set[str] = set()
        self._size_bytes = 0

    def ends_before(self, caused: Caused) -> bool:
        """Whether the part is to be written first: it is large, or the next is about one of its notifications."""
        full = self._size_bytes >= _WRITE_BYTES or len(self.plans) >= _WRITE_PLANS
        return full or not self._names.isdisjoint(caused.notifications)

    def add(self, caused: Caused, step: Step) -> None:
        self.own_offset = caused.own_offset
        self._names |= caused.notifications
        self.plans += step.plans
        self.bodies |= step.bodies
        self.changed |= caused.changed
        self.copies |= copied_rows(caused)
        self.watched += watched_in(caused)
        if step.asked is not None:
            self.asked.add(step.asked)
        self._size_bytes += sum(map(len, step.bodies.values())) + sum(
            len(row or b"") for row in caused.changed.values()
        )
