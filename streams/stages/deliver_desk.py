"""One partition of the stage `deliver`, in memory and pure: records and answers in, notifications to write down out.

    record of `alerts` ─► the own offset is new? ─► judge ─┬─ messages ──────► planned for their receivers
                                                           └─ RESEND_HEADER ─► waiting again, with a deadline of its own

A redo, however its runs are cut, plans nothing twice: a plan is known by its message, revision and receiver, and
the partition's row says up to which record all is planned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import msgspec

from alerts import AlertEvent
from alerts.delivery import Deliveries, Planned, Status, dropped, resent
from alerts.delivery.group import AlertGroup
from alerts.judge import Outcome, decision_from_json
from alerts.judge.decisions import Unwatch, Watch
from streams.engine.runs import Record
from streams.serving.control import Watched, change_at
from streams.stages.deliver_journal import JudgeRows
from streams.stages.deliver_judging import Caused, MakeJudge, OneJudge, Resend
from streams.stages.deliver_rows import (
    DECISION_PREFIX,
    PARTITION_KEY,
    PLAN_PREFIX,
    VIEW_PREFIX,
    DecisionRow,
    PartitionRow,
    decoded_decision,
    decoded_plan,
    encoded_body,
)
from streams.wall_clock import DAY_MS

__all__ = ["KEPT_EVENTS", "Desk", "Step", "Written"]

KEPT_EVENTS = 2_000
"""Messages whose notifications are settled and stay known, by own offset the newest: for people to look at."""

_KEPT_BODIES = 200
_KEPT_BODIES_FAILED = 2_000
_SENT_BODY_MS = DAY_MS
_FAILED_BODY_MS = 7 * DAY_MS
_MOST_UNCOPIED = 20_000


@dataclass(slots=True)
class Step:
    """What one record of this own offset changes: plans, and what their notifications say.

    `asked` is the receiver that somebody wants tried at once.
    """

    own_offset: int
    plans: list[Planned] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    asked: str | None = None


class Written(TypedDict):
    """What `Book.write` writes of a part of a run."""

    plans: list[Planned]
    before: dict[str, bytes | None]
    bodies: dict[str, bytes]
    row: PartitionRow


@dataclass(slots=True)
class Desk:
    """One partition. `row` and `deliveries` are as written down; `dirty` is what the archive has no copy of yet, by
    revision, oldest first, `outgoing` the same of decisions and views, by key. `answered` are decisions that it has,
    with the time when they were forwarded; `lists` are the watchlists that decisions changed, by name. `lock` keeps
    writes of the partition in order. `unfinished` is a write of what was judged that failed, and of which the log may
    have a part.
    """

    number: int
    row: PartitionRow
    deliveries: Deliveries
    judge: OneJudge
    dirty: dict[tuple[str, str], int] = field(default_factory=dict)
    outgoing: dict[str, bytes] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    lists: dict[str, Watched] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    pruned_ms: int = 0
    unfinished: Written | None = None

    @classmethod
    def restored(cls, number: int, rows: Iterable[tuple[str, bytes]], make: MakeJudge) -> tuple[Desk, JudgeRows]:
        """From the partition's rows, with those of the judge. Raises `MoodwireError` or `msgspec.DecodeError`."""
        found = dict(rows)
        row = PartitionRow.restored(found.get(PARTITION_KEY))
        plans = [decoded_plan(value) for key, value in found.items() if key.startswith(PLAN_PREFIX)]
        desk = cls(number, row, Deliveries(plans), OneJudge(make, number))
        judged = desk.judge.restore(found, row.own_offset)
        fresh = sorted((plan for plan in desk.deliveries if plan.revision > row.copied), key=lambda plan: plan.revision)
        desk.dirty = {(plan.receiver, plan.notification): plan.revision for plan in fresh}
        desk.outgoing = {key: value for key, value in found.items() if key.startswith((DECISION_PREFIX, VIEW_PREFIX))}
        decided = [decoded_decision(row) for key, row in found.items() if key.startswith(DECISION_PREFIX)]
        for row_of_one in sorted(decided, key=lambda one: one.place):
            desk.heard(row_of_one)
        return desk, judged

    def begun(self, epoch: str) -> PartitionRow:
        """The partition's row for records of this incarnation of the topic."""
        row = self.row
        return row if epoch in row.epochs else msgspec.structs.replace(row, epochs=(*row.epochs, epoch))

    # -- planning

    def caused(self, record: Record, base: int) -> Caused | None:
        """What follows from the record; None when it is behind what was judged already. Raises as `OneJudge.caused`."""
        own = base + record.offset
        return None if own <= self.row.own_offset else self.judge.caused(record, own)

    def step(self, caused: Caused, receivers: Sequence[str], now_ms: int) -> Step:
        """What changes by it, beside the judge's rows."""
        if caused.resend is not None:
            return self._resend(caused.own_offset, caused.resend, caused.body, receivers, now_ms)
        step = Step(caused.own_offset)
        for plan in caused.plans:
            receiver, message = plan.group.channel or plan.receiver, plan.group
            planned = _planned(message, receiver, caused.own_offset, now_ms)
            if receiver in receivers and self.deliveries.get(receiver, planned.notification) is None:
                step.plans.append(planned)
                step.bodies[planned.notification] = encoded_body(message)
        return step

    def _resend(self, own: int, asked: Resend, body: AlertEvent | None, receivers: Sequence[str], now_ms: int) -> Step:
        step = Step(own)
        plan = self.deliveries.get(asked.receiver, asked.notification)
        if plan is None and body is not None:
            plan = _planned(body, asked.receiver, own, now_ms)
        if plan is None or plan.notification != asked.notification or plan.request == asked.request:
            return step
        again = resent(plan, asked.request, now_ms)
        if asked.receiver in receivers:
            step.plans, step.asked = [again], asked.receiver
        else:
            step.plans = [dropped(again, now_ms)]
        if body is not None:
            step.bodies[asked.notification] = encoded_body(body)
        return step

    def without_receivers(self, receivers: Sequence[str], now_ms: int) -> list[Planned]:
        """What waits for receivers that are no longer in the settings, as dropped."""
        gone = [name for name in self.deliveries.receivers() if name not in receivers]
        return [dropped(plan, now_ms) for name in gone for plan in self.deliveries.waiting_for(name)]

    def heard(self, row: DecisionRow) -> None:
        """A decision was written down; a watchlist that it changed is to be told to those who count."""
        decision = decision_from_json(row.decision)
        if row.answer.outcome is Outcome.ACCEPTED and isinstance(decision, Watch | Unwatch):
            body = decision.body if isinstance(decision, Watch) else None
            self.lists[decision.name] = Watched(
                name=decision.name, body=body, change=change_at(row.place), by=decision.by, at_ms=decision.at_ms
            )

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


def _planned(message: AlertEvent | AlertGroup, receiver: str, own: int, now_ms: int) -> Planned:
    return Planned(
        receiver=receiver, alert=message.id, version=message.revision, series=message.series, change=message.change,
        at_ms=message.updated_ms, order=own, since_ms=now_ms, updated_ms=now_ms, revision=0,
    )  # fmt: skip
