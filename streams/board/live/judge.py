"""What the judge knows, followed row by row: no decision has to read all of them again.

changelog of `deliver` ── take ──► rows ─┬─► state()    alerts, groups, silences, subscriptions, watchlists
                                         ├─► answers    by the decision's id, those who wait are woken
                                         └─► views      what changed, for the stream
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from alerts.judge import Answer
from streams.engine.runs import Record
from streams.jobs.judge_state import JudgeState, judge_of
from streams.logs import get_logger
from streams.stages.deliver_rows import (
    DECISION_PREFIX,
    EVENT_PREFIX,
    PLAN_PREFIX,
    VIEW_PREFIX,
    DecisionRow,
    ViewRow,
    decoded_decision,
    decoded_view,
)
from streams.transport.tables import ForeignRow, Rows

__all__ = ["JudgeFollower"]

log = get_logger(__name__)

_NOT_KEPT: Final = (EVENT_PREFIX, PLAN_PREFIX, VIEW_PREFIX)
"""Of no use for decisions, and the most of the rows."""

_ANSWERS_KEPT: Final = 10_000


class JudgeFollower:
    """Rows come from one thread; state and answers are asked for by others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[int, Rows] = {}
        self._read: dict[int, int] = {}
        self._answers: dict[str, DecisionRow] = {}
        self._waiting: dict[str, list[Callable[[DecisionRow], None]]] = {}
        self._state: JudgeState | None = None

    def restart(self) -> None:
        """The rows are read from the first one again."""
        with self._lock:
            self._rows, self._read, self._state = {}, {}, None

    def take(self, partition: int, record: Record) -> ViewRow | None:
        """Takes a record of the changelog; returns the view that it is, None for other rows.

        A record that was taken before changes nothing.
        """
        number, _, key = (record.key or b"").decode("utf-8", "replace").partition("|")
        if not number.isdigit():
            return None
        if key.startswith(VIEW_PREFIX):
            return _view(record)
        with self._lock:
            if record.offset > self._read.get(partition, -1):
                self._read[partition] = record.offset
                self._keep(int(number), key, record)
        return None

    def _keep(self, number: int, key: str, record: Record) -> None:
        if key.startswith(_NOT_KEPT):
            return
        rows = self._rows.setdefault(number, Rows())
        with suppress(ForeignRow):  # the stage reports it
            rows.take(key.encode(), record.value, record.headers)
        self._state = None
        if key.startswith(DECISION_PREFIX) and record.value is not None:
            self._answered(decoded_decision(record.value))

    def _answered(self, row: DecisionRow) -> None:
        name = row.answer.decision
        self._answers.pop(name, None)
        self._answers[name] = row
        while len(self._answers) > _ANSWERS_KEPT:
            del self._answers[next(iter(self._answers))]
        for told in self._waiting.get(name, ()):
            told(row)

    def state(self) -> JudgeState:
        """Returns what the judge knows now; not to be changed. Raises as `read_judge`."""
        with self._lock:
            if self._state is None:
                rows = {
                    number: {key.decode("utf-8", "replace"): value for key, value in one.values.items()}
                    for number, one in self._rows.items()
                }
                self._state = judge_of(rows)
            return self._state

    def last_place(self) -> int:
        """Returns the place in the log of the last decision that was answered; -1 before the first."""
        with self._lock:
            return max((row.place for row in self._answers.values()), default=-1)

    async def answer(self, decision: str, after: int, wait_seconds: float) -> Answer | None:
        """Returns the answer to the decision of this id behind the place `after`; None when none comes in time."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Answer] = loop.create_future()

        def settle(row: DecisionRow) -> None:
            if row.place > after and not found.done():
                found.set_result(row.answer)

        def told(row: DecisionRow) -> None:
            with suppress(RuntimeError):  # the loop has ended, and who waits with it
                loop.call_soon_threadsafe(settle, row)

        self._listen(decision, told)
        try:
            async with asyncio.timeout(wait_seconds):
                return await found
        except TimeoutError:
            return None
        finally:
            self._leave(decision, told)

    def _listen(self, decision: str, told: Callable[[DecisionRow], None]) -> None:
        with self._lock:
            self._waiting.setdefault(decision, []).append(told)
            known = self._answers.get(decision)
        if known is not None:
            told(known)

    def _leave(self, decision: str, told: Callable[[DecisionRow], None]) -> None:
        with self._lock:
            self._waiting[decision].remove(told)
            if not self._waiting[decision]:
                del self._waiting[decision]


def _view(record: Record) -> ViewRow | None:
    """The view, None once it is deleted since the archive has it, and for one that cannot be read."""
    if record.value is None:
        return None
    try:
        return decoded_view(record.value)
    except msgspec.MsgspecError as error:
        log.warning("Unreadable view passed over", offset=record.offset, error=error)
        return None
