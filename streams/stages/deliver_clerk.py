"""What a worker of `deliver` writes into `alerts`: decisions, forwarded from `control`, and the clock.

    control ── every second or more ─► decisions behind the last one that was judged ─┐
    wall clock ─► does a partition keep a tick waiting, does a timer wait for a tick? ─┴─► records of `alerts`
    partitions that ticks are decided without ─► a trouble, until they are back
    control ─► decisions that were judged, lists that were removed ─► deleted there (`deliver_sweep`)
    accepted ─► watchlists that decisions changed ───────────────────────────────────────► records of `control`

The judge takes them in its turn, at a stored offset. Two workers may write the same: a decision is judged once by its
place in `control`, and a clock that is behind the judge's time changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from alerts.backoff import Backoff
from streams.alert_log import ALERTS_PARTITION, Clock, Forwarded, clock_send, decision_in, forwarded_send
from streams.engine.ports import Outbox, Send
from streams.engine.runs import Record
from streams.logs import get_logger
from streams.serving.control import watched_send
from streams.stages.deliver_book import Book
from streams.stages.deliver_desk import Desk
from streams.stages.deliver_sweep import Sweep

__all__ = ["Clerk", "ReadControl", "Timekeeper"]

log = get_logger(__name__)

ReadControl = Callable[[int], Awaitable[tuple[str, Sequence[Record]]]]
"""Reads `control` behind an offset: the id of this incarnation of the topic, and the records."""

_TURN_SECONDS = 1.0
_BACKOFF = Backoff(first_seconds=1.0, longest_seconds=30.0)


@dataclass(slots=True)
class Timekeeper:
    """Decides when the judge gets a clock. Pure; `patience_ms` is how long a tick may be waited for, by the wall clock.

    While no tick comes at all, event time goes on from the last one as fast as the wall clock does.
    """

    patience_ms: int
    _lagging: tuple[int, ...] = ()
    _lagging_since_ms: int = 0
    _tick_ms: int = -1
    _tick_at_ms: int = 0

    def clock(self, now_ms: int, tick_ms: int, lagging: tuple[int, ...], next_timer_ms: int | None) -> Clock | None:
        """Returns what to write now; `lagging` are the partitions that keep a tick of others waiting."""
        if lagging != self._lagging:
            self._lagging, self._lagging_since_ms = lagging, now_ms
        if tick_ms != self._tick_ms:
            self._tick_ms, self._tick_at_ms = tick_ms, now_ms
        if lagging and now_ms - self._lagging_since_ms >= self.patience_ms:
            self._lagging_since_ms = now_ms
            return Clock(at_ms=0, without=lagging)
        passed_ms = now_ms - self._tick_at_ms
        if next_timer_ms is None or passed_ms < self.patience_ms or tick_ms + passed_ms < next_timer_ms:
            return None
        self._tick_at_ms = now_ms
        return Clock(at_ms=tick_ms + passed_ms)


class Clerk:
    """Writes for the desk of the partition that holds the log, while this worker has it.

    `topic` is that of alerts. `timekeeper` is None where time is that of records alone. `every_seconds` is how often
    `control` is read. `on_away` hears of a partition of mentions that ticks are decided without, and once they are not.
    """

    def __init__(
        self,
        book: Book,
        outbox: Outbox,
        topic: str,
        control: str,
        read_control: ReadControl,
        *,
        timekeeper: Timekeeper | None = None,
        every_seconds: float = _TURN_SECONDS,
        on_away: Callable[[int, bool], None] = lambda *_: None,
    ) -> None:
        self._book = book
        self._outbox = outbox
        self._topic = topic
        self._control = control
        self._read_control = read_control
        self._timekeeper = timekeeper
        self._every_seconds = every_seconds
        self._on_away = on_away
        self._away: frozenset[int] = frozenset()
        self._desk: Desk | None = None
        self._forwarded = ("", -1)
        self._sweep: Sweep | None = None
        self._listed: dict[str, int] = {}

    async def run(self) -> None:
        """Works until it is cancelled."""
        failures = 0
        while True:
            wait = self._every_seconds
            try:
                await self.turn()
                failures = 0
            except Exception as error:  # the boundary: what people decide waits in `control`
                failures += 1
                wait = _BACKOFF.wait_seconds(failures)
                log.warning("Decisions not forwarded", error=error, retry_seconds=wait)
            await asyncio.sleep(wait)

    async def turn(self) -> None:
        """Forwards what was decided since the last turn, then writes a clock if one is due."""
        desk = self._book.desks.get(ALERTS_PARTITION)
        if desk is None:
            self._tell_away(())  # the worker that has it now says so
        if desk is None or not desk.judge.is_there:
            return
        if desk is not self._desk:
            self._desk, self._forwarded, self._sweep, self._listed = desk, desk.judge.control, None, {}
        await self._forward()
        await self._delete_spent(desk)
        await self._tell_lists(desk)
        if desk.judge.is_there:  # a run may have failed meanwhile
            self._tell_away(desk.judge.away)
            await self._keep_time(desk)

    def _tell_away(self, partitions: Iterable[int]) -> None:
        """What changed since the last turn."""
        now = frozenset(partitions)
        for one in sorted(now ^ self._away):
            self._on_away(one, one in now)
        self._away = now

    async def _forward(self) -> None:
        epoch, records = await self._read()
        found = [(record.offset, decision_in(record)) for record in records]
        sends = [
            forwarded_send(self._topic, Forwarded(epoch=epoch, offset=offset, decision=decision))
            for offset, decision in found
            if decision is not None
        ]
        if sends:
            await self._outbox.send(sends)
        known = self._forwarded[1] if epoch == self._forwarded[0] else -1
        self._forwarded = (epoch, records[-1].offset if records else known)

    async def _read(self) -> tuple[str, Sequence[Record]]:
        """The epoch of `control`, and what is behind the last decision that was forwarded."""
        known, offset = self._forwarded
        epoch, records = await self._read_control(offset if self._sweep is not None else -1)
        if epoch != known and self._sweep is not None:  # the topic was made again, or nothing of it was judged yet
            epoch, records = await self._read_control(-1)
            self._sweep = None
        if self._sweep is None:
            self._sweep = Sweep()
        self._sweep.take(records)
        return epoch, [record for record in records if epoch != known or record.offset > offset]

    async def _delete_spent(self, desk: Desk) -> None:
        epoch, judged = desk.judge.control
        if self._sweep is None or epoch != self._forwarded[0]:
            return
        spent = self._sweep.spent(judged)
        if spent:
            await self._outbox.send([Send(self._control, key, None) for key in spent])
            self._sweep.forget(spent)

    async def _tell_lists(self, desk: Desk) -> None:
        """Says in `control` how the watchlists are that decisions changed; said again, it changes nothing."""
        fresh = [one for one in desk.lists.values() if self._listed.get(one.name) != one.change]
        if fresh:
            await self._outbox.send([watched_send(self._control, one) for one in fresh])
            self._listed |= {one.name: one.change for one in fresh}

    async def _keep_time(self, desk: Desk) -> None:
        if self._timekeeper is None:
            return
        judge = desk.judge
        clock = self._timekeeper.clock(self._book.clock(), judge.now_ms, judge.lagging, judge.next_timer_ms)
        if clock is not None:
            await self._outbox.send([clock_send(self._topic, clock)])
