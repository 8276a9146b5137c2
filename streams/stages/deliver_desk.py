"""One partition of the stage `deliver`, in memory and pure: records and answers in, notifications to write down out.

    record of `alerts` ─► the own offset is new? ─┬─ an event ────► planned for every receiver, unless it is known
                                                  └─ RESEND_HEADER ► waiting again, with a deadline of its own

A redo, however its runs are cut, plans nothing twice: a plan is known by alert, revision and receiver, and
the partition's row says up to which record all is planned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from alerts import AlertEvent
from alerts.delivery import Deliveries, Planned, Status, dropped, resent
from alerts.records import RECORD_VERSION
from streams.alert_log import clock_of, seal_of
from streams.engine.runs import Record
from streams.errors import NewerVersion, Reject, check_version
from streams.records import VERSION
from streams.stages.deliver_rows import PARTITION_KEY, PLAN_PREFIX, PartitionRow, decoded_plan
from streams.topics import RESEND_HEADER
from streams.wall_clock import DAY_MS

__all__ = ["KEPT_EVENTS", "Desk", "Resend", "Step"]

KEPT_EVENTS = 2_000
"""Settled events whose notifications stay known, by own offset the newest: `watch` may send the events of its last run
again after a crash. An older event that comes again is sent again rather than lost."""

_KEPT_BODIES = 200
_KEPT_BODIES_FAILED = 2_000
_SENT_BODY_MS = DAY_MS
_FAILED_BODY_MS = 7 * DAY_MS
_MOST_UNCOPIED = 20_000


class Resend(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants a notification sent again; the value of the header `RESEND_HEADER`, in JSON.

    The record's value is the event where the rows may lack it, else nothing.
    """

    request: str
    receiver: str
    notification: str
    by: str = ""
    schema: int = VERSION


@dataclass(slots=True)
class Step:
    """What one record of this own offset changes: of one notification, the plans for its receivers and its event.

    `asked` is the receiver that somebody wants tried at once.
    """

    own_offset: int
    notification: str = ""
    plans: list[Planned] = field(default_factory=list)
    body: bytes | None = None
    asked: str | None = None


@dataclass(slots=True)
class Desk:
    """One partition. `row` and `deliveries` are as written down; `dirty` is what the archive has no copy of yet, by
    revision, oldest first. `lock` keeps writes of the partition in order.
    """

    number: int
    row: PartitionRow
    deliveries: Deliveries
    dirty: dict[tuple[str, str], int] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    pruned_ms: int = 0

    @classmethod
    def restored(cls, number: int, rows: Iterable[tuple[str, bytes]]) -> Desk:
        """From the partition's rows. Raises `NewerVersion` or `msgspec.DecodeError`."""
        found = dict(rows)
        row = PartitionRow.restored(found.get(PARTITION_KEY))
        plans = [decoded_plan(value) for key, value in found.items() if key.startswith(PLAN_PREFIX)]
        desk = cls(number, row, Deliveries(plans))
        fresh = sorted((plan for plan in desk.deliveries if plan.revision > row.copied), key=lambda plan: plan.revision)
        desk.dirty = {(plan.receiver, plan.notification): plan.revision for plan in fresh}
        return desk

    def begun(self, epoch: str) -> PartitionRow:
        """The partition's row for records of this incarnation of the topic."""
        row = self.row
        return row if epoch in row.epochs else msgspec.structs.replace(row, epochs=(*row.epochs, epoch))

    # -- planning

    def step(self, record: Record, base: int, receivers: Sequence[str], now_ms: int) -> Step | None:
        """What the record changes; None when it is behind what is planned already.

        Raises `NewerVersion`, or `Reject` for a record that is no alert: anybody may write to a topic.
        """
        own = base + record.offset
        if own <= self.row.own_offset:
            return None
        try:
            return self._step(own, record, receivers, now_ms)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Reject("bad_alert", f"no alert: {error}", record.offset) from error

    def _step(self, own: int, record: Record, receivers: Sequence[str], now_ms: int) -> Step:
        asked = _resend_of(record)
        if asked is not None:
            return self._resend(own, asked, record.value, receivers, now_ms)
        if record.value is None or seal_of(record.headers) or clock_of(record.headers):
            return Step(own)
        event = self._event(record.value)
        step = Step(own, f"{event.id}.{event.revision}")
        if event.change != "ongoing" and not self._was_planned(step.notification, own):
            missing = [name for name in receivers if self.deliveries.get(name, step.notification) is None]
            step.plans = [_planned(event, receiver, own, now_ms) for receiver in missing]
            step.body = record.value if step.plans else None
        return step

    def _event(self, value: bytes) -> AlertEvent:
        event = AlertEvent.from_json(value)
        check_version(f"an alert in alerts[{self.number}]", event.schema, RECORD_VERSION)
        return event

    def _was_planned(self, notification: str, own: int) -> bool:
        """Whether another record planned the event, which then came again.

        This very record may have been planned for some receivers when the process died. What an event says of itself
        but its name decides nothing: a wrong time in one record would silence others.
        """
        return self.deliveries.order_of(notification) not in (None, own)

    def _resend(self, own: int, asked: Resend, body: bytes | None, receivers: Sequence[str], now_ms: int) -> Step:
        step = Step(own, asked.notification)
        plan = self.deliveries.get(asked.receiver, asked.notification)
        if plan is None and body is not None:
            plan = _planned(self._event(body), asked.receiver, own, now_ms)
        if plan is None or plan.notification != asked.notification or plan.request == asked.request:
            return step
        again = resent(plan, asked.request, now_ms)
        if asked.receiver in receivers:
            step.plans, step.asked = [again], asked.receiver
        else:
            step.plans = [dropped(again, now_ms)]
        step.body = body
        return step

    def without_receivers(self, receivers: Sequence[str], now_ms: int) -> list[Planned]:
        """What waits for receivers that are no longer in the settings, as dropped."""
        gone = [name for name in self.deliveries.receivers() if name not in receivers]
        return [dropped(plan, now_ms) for name in gone for plan in self.deliveries.waiting_for(name)]

    def take(self, plan: Planned) -> None:
        """The notification was written down as this."""
        self.deliveries.take(plan)
        key = (plan.receiver, plan.notification)
        self.dirty.pop(key, None)
        self.dirty[key] = plan.revision

    # -- the archive's copy, and what is kept

    def copied(self, plans: Iterable[Planned]) -> None:
        """The archive has these."""
        for plan in plans:
            key = (plan.receiver, plan.notification)
            if self.dirty.get(key) == plan.revision:
                del self.dirty[key]

    @property
    def copied_up_to(self) -> int:
        """The revision up to which the archive has everything."""
        return next(iter(self.dirty.values()), self.deliveries.revision + 1) - 1

    def spent(self, bodies: Container[str], now_ms: int) -> tuple[list[str], list[Planned]]:
        """What need not be kept: events (of those in `bodies`, by notification) and settled notifications.

        Events stay for a day when they were sent, a week when they failed, and only the newest of them; notifications
        while they are among the newest or the archive has no copy.
        """
        settled = self._settled()
        ended = [
            *_beyond(settled, bodies, now_ms, _SENT_BODY_MS, _KEPT_BODIES, failed=False),
            *_beyond(settled, bodies, now_ms, _FAILED_BODY_MS, _KEPT_BODIES_FAILED, failed=True),
        ]
        old = [plan for group in settled[KEPT_EVENTS:] for plan in group if plan.notification not in bodies]
        uncopied = [plan for plan in old if (plan.receiver, plan.notification) in self.dirty]
        given_up = {id(plan) for plan in uncopied[_MOST_UNCOPIED:]}
        waiting = {id(plan) for plan in uncopied if id(plan) not in given_up}
        return ended, [plan for plan in old if id(plan) not in waiting]

    def _settled(self) -> list[list[Planned]]:
        """The notifications of events that wait for nobody, by event, the newest event first."""
        groups: dict[str, list[Planned]] = {}
        for plan in self.deliveries:
            groups.setdefault(plan.notification, []).append(plan)
        settled = [group for group in groups.values() if all(plan.status is not Status.WAITING for plan in group)]
        return sorted(settled, key=lambda group: -group[0].order)

    def forget(self, plans: Iterable[Planned]) -> None:
        """These were deleted."""
        for plan in plans:
            self.deliveries.forget(plan)
            self.dirty.pop((plan.receiver, plan.notification), None)


def _beyond(
    settled: Sequence[Sequence[Planned]],
    bodies: Container[str],
    now_ms: int,
    longest_ms: int,
    most: int,
    *,
    failed: bool,
) -> Iterator[str]:
    """The events with a body that are too old or too many, of those that failed somewhere or of the others."""
    kept = 0
    for group in settled:
        name = group[0].notification
        if name not in bodies or any(plan.status is not Status.SENT for plan in group) is not failed:
            continue
        kept += 1
        if kept > most or now_ms - max(plan.updated_ms for plan in group) > longest_ms:
            yield name


def _planned(event: AlertEvent, receiver: str, own: int, now_ms: int) -> Planned:
    return Planned(
        receiver=receiver, alert=event.id, version=event.revision, series=event.series, change=event.change,
        at_ms=event.updated_ms, order=own, since_ms=now_ms, updated_ms=now_ms, revision=0,
    )  # fmt: skip


def _resend_of(record: Record) -> Resend | None:
    found = next((value for name, value in record.headers if name == RESEND_HEADER), None)
    if found is None:
        return None
    asked = _resends.decode(found)
    if asked.schema > VERSION:
        raise NewerVersion("a request to send a notification again", asked.schema, VERSION)
    return asked


_resends = msgspec.json.Decoder(Resend)
