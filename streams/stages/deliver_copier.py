"""The archive's copy of what `deliver` has planned and sent: for reading, and never in the way of sending.

    rows that the archive has not ─► record_notifications ─► known as copied
                                        └─ refused: again, after a while

The rows are what is copied, so nothing is queued while the archive is away, and a restart goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice

from alerts.backoff import Backoff
from alerts.delivery import Planned
from alerts.judge import Decision, decision_from_json
from streams.archive.protocol import Archive, StoredDecision, StoredNotification, StoredView
from streams.errors import Retry
from streams.logs import get_logger
from streams.stages.deliver_book import Book
from streams.stages.deliver_desk import Desk
from streams.stages.deliver_rows import DECISION_PREFIX, VIEW_PREFIX, DecisionRow, decoded_decision, decoded_view
from streams.wall_clock import MINUTE_MS

__all__ = ["Copier", "stored_decision", "stored_notification"]

log = get_logger(__name__)

_AT_ONCE = 200
_IDLE_SECONDS = 60.0
_BACKOFF = Backoff(first_seconds=1.0, longest_seconds=60.0, longest_asked_seconds=60.0)
_PRUNE_EVERY_MS = MINUTE_MS


class Copier:
    """Copies what has changed, oldest first, and deletes the rows that are no longer needed."""

    def __init__(self, book: Book, archive: Archive) -> None:
        self._book = book
        self._archive = archive
        self._failures = 0
        self._woken = book.waker()

    @property
    def behind(self) -> bool:
        """Whether the archive lacks something that it may take now."""
        return not self._failures and any(desk.dirty or desk.outgoing for desk in self._book.desks.values())

    async def run(self) -> None:
        """Works until it is cancelled."""
        while True:
            self._woken.clear()
            wait = await self.turn()
            if self._failures:
                await asyncio.sleep(wait)
            elif wait:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._woken.wait()

    async def turn(self) -> float:
        """Copies a batch of each partition; the seconds until the next look, 0 when there is more to do."""
        try:
            more = [await self._copy(desk) for desk in list(self._book.desks.values())]
            for desk in list(self._book.desks.values()):
                await self._prune(desk)
        except Exception as error:  # the boundary: the copy waits, whatever the archive or the broker says
            self._failures += 1
            asked = error.retry_after_seconds if isinstance(error, Retry) else 0.0
            wait = _BACKOFF.wait_seconds(self._failures, asked_seconds=asked)
            log.warning("Notifications not copied to the archive", error=error, retry_seconds=wait)
            return wait
        self._failures = 0
        return 0.0 if any(more) else _IDLE_SECONDS

    async def _copy(self, desk: Desk) -> bool:
        """Copies some of the partition's notifications; returns whether more of them wait."""
        plans = [plan for key in islice(desk.dirty, _AT_ONCE) if (plan := desk.deliveries.get(*key)) is not None]
        if plans:
            await self._archive.record_notifications([stored_notification(plan) for plan in plans])
            desk.copied(plans)
        rows = dict(islice(desk.outgoing.items(), _AT_ONCE))
        if rows:
            await self._record(rows)
            await self._book.copied(desk, rows)
        return bool(desk.dirty or desk.outgoing)

    async def _record(self, rows: Mapping[str, bytes]) -> None:
        """Adds decisions to the trail, and keeps what the judge shows."""
        decided = [decoded_decision(row) for key, row in rows.items() if key.startswith(DECISION_PREFIX)]
        shown = [decoded_view(row) for key, row in rows.items() if key.startswith(VIEW_PREFIX)]
        if decided:
            await self._archive.record_decisions([stored_decision(row) for row in decided])
        if shown:
            views = [StoredView(row.kind, row.id, row.seen, row.place, row.body) for row in shown]
            await self._archive.record_views(views)

    async def _prune(self, desk: Desk) -> None:
        now_ms = self._book.clock()
        if self._book.has(desk) and abs(now_ms - desk.pruned_ms) >= _PRUNE_EVERY_MS:
            desk.pruned_ms = now_ms
            await self._book.prune(desk)


def stored_notification(plan: Planned) -> StoredNotification:
    """A notification as the archive keeps it."""
    return StoredNotification(
        id=plan.id,
        alert_id=plan.alert,
        alert_revision=plan.version,
        channel=plan.receiver,
        state=plan.status.value,
        attempts=plan.attempts,
        since_ms=plan.since_ms,
        updated_ms=plan.updated_ms,
        problem=plan.problem,
        revision=plan.revision,
    )


def stored_decision(row: DecisionRow) -> StoredDecision:
    """A decision with its answer as the audit trail keeps it."""
    decision, answer = decision_from_json(row.decision), row.answer
    return StoredDecision(
        place=row.place,
        id=decision.id,
        kind=str(decision.__struct_config__.tag),
        by=decision.by,
        target=_target(decision),
        at_ms=decision.at_ms,
        decided_ms=row.at_ms,
        outcome=answer.outcome.value,
        version=answer.version,
        detail=answer.detail,
        body=row.decision,
    )


def _target(decision: Decision) -> str:
    """What it is about; a silence and a maintenance window are named by their decision."""
    names = (getattr(decision, name, "") for name in ("target", "silence", "name"))
    return next(filter(None, names), decision.id)
