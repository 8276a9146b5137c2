"""Every few seconds: asks broker and archive, looks at lag, retention, feeds, watermark and stages, and acts on it.

turn ─┬─► broker: lag, write ► /ready, troubles broker, lag
      ├─► broker: late ──────► trouble retention
      ├─► archive ───────────► /ready, trouble archive
      ├─► stages, watermark, newest item, feeds ─► troubles stage, watermark, clock, feed_silent, feed_overdue
      ├─► receivers ─────────► trouble channel
      └─► Notices.turn ─► Watchdog.turn
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from alerts.delivery import ReceiverState
from streams.errors import MoodwireError
from streams.observe.feeds import FeedWatch
from streams.observe.health import Health
from streams.observe.lag import GroupLag
from streams.observe.metrics import Metrics
from streams.observe.notices import Notices
from streams.observe.receivers import look_at_receivers
from streams.observe.troubles import Troubles
from streams.observe.watchdog import Watchdog
from streams.supervision import Beat
from streams.transport.asking import ask
from streams.transport.broker import Late
from streams.wall_clock import MINUTE_MS

__all__ = ["Limits", "Monitor", "Probes"]

_ANSWER_SECONDS = 10.0
_LATE_EVERY_MS = MINUTE_MS  # retention is counted in hours, and the call is expensive


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something is trouble; 0 for `lag_records` means never.

    `ahead_ms`: machines that keep time by NTP agree within tenths of a second, and an alert takes half a minute anyway.
    """

    lag_records: int = 100_000
    watermark_ms: int = 120_000
    ahead_ms: int = 10_000
    archive_write_seconds: float = 60.0
    channel_ms: int = 300_000


@dataclass(frozen=True, slots=True)
class Probes:
    """How to ask. `lag` and `late` are called in threads and raise `MoodwireError` when the broker is away.

    `watermark_ms` is the earliest watermark, `farthest_ms` the latest, None where event time is not the clock's;
    `newest` the latest `seen` of an item (ms) and its source.
    """

    lag: Callable[[], Iterable[GroupLag]]
    archive: Callable[[], Awaitable[object]]
    late: Callable[[], Iterable[Late]] = tuple
    archive_waiting_seconds: Callable[[], float] = float
    watermark_ms: Callable[[], int | None] = lambda: None
    farthest_ms: Callable[[], int | None] = lambda: None
    newest: Callable[[], tuple[int, str]] = lambda: (0, "")
    receivers: Callable[[], Iterable[ReceiverState]] = tuple


@dataclass(slots=True)
class Monitor:
    """One process's monitor; `clock` gives the wall clock in ms."""

    health: Health
    metrics: Metrics
    troubles: Troubles
    probes: Probes
    notices: Notices
    clock: Callable[[], int]
    limits: Limits = Limits()
    feeds: FeedWatch | None = None
    watchdog: Watchdog | None = None
    every_seconds: float = 5.0
    _lags: Sequence[GroupLag] = ()
    _late_due_ms: int = 0
    _late: set[str] = field(default_factory=set)

    async def run(self, beat: Beat) -> None:
        """Turns until it is cancelled; raises what breaks a turn, for the supervisor, which starts the next."""
        while True:
            await self.turn()
            beat()
            await asyncio.sleep(self.every_seconds)

    def last_lags(self) -> Sequence[GroupLag]:
        """What the broker said at the last turn; nothing when it did not answer."""
        return self._lags

    async def turn(self) -> None:
        await asyncio.gather(self._ask_broker(), self._ask_archive())
        self._look_at_stages()
        self._look_at_watermark()
        self._look_ahead()
        now_ms = self.clock()
        look_at_receivers(self.probes.receivers(), self.metrics, self.troubles, now_ms, self.limits.channel_ms)
        if self.feeds is not None:
            self.feeds.look(self.troubles, self.clock())
        await self.notices.turn(self.troubles.take_notices(), self.clock())
        if self.watchdog is not None:
            await self.watchdog.turn(self.clock())

    async def _ask_broker(self) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                lags = list(await ask(self.probes.lag, "lag"))
                late = list(await ask(self.probes.late, "late")) if self.clock() >= self._late_due_ms else None
        except (MoodwireError, TimeoutError, OSError) as error:
            self._lags = ()
            self.health.broker_problem = str(error) or f"no answer in {_ANSWER_SECONDS:g} s"
            self.troubles.raise_trouble("broker", self.health.broker_problem)
        else:
            self.health.broker_problem = ""
            self.troubles.clear("broker")
            self._lags = tuple(lags)
            self._look_at_lag(lags)
            if late is not None:
                self._late_due_ms = self.clock() + _LATE_EVERY_MS
                self._look_at_retention(late)
        self.metrics.broker_up.set(not self.health.broker_problem)

    def _look_at_lag(self, lags: Iterable[GroupLag]) -> None:
        behind: Counter[str] = Counter()
        for group, _, _, records in lags:
            behind[group] += records
        for group, records in behind.items():
            if 0 < self.limits.lag_records < records:
                detail = (
                    f"{group} is {records:,} records behind, more than MOODWIRE_LAG_LIMIT={self.limits.lag_records}"
                )
                self.troubles.raise_trouble("lag", f"{detail}: add workers or find what slows it", group)
            else:
                self.troubles.clear("lag", group)

    def _look_at_retention(self, late: Iterable[Late]) -> None:
        now: set[str] = set()
        for found in late:
            subject = f"{found.group} {found.topic}/{found.partition}"
            now.add(subject)
            danger = "are LOST: retention has passed some of them" if found.lost else "are as old as retention allows"
            self.troubles.raise_trouble(
                "retention",
                f"{found.records:,} records of {found.topic}/{found.partition} that {found.group} has not read "
                f"{danger}; start that stage, or raise MOODWIRE_RETENTION_HOURS",
                subject,
            )
        for subject in self._late - now:
            self.troubles.clear("retention", subject)
        self._late = now

    async def _ask_archive(self) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self.probes.archive()
        except (MoodwireError, TimeoutError, OSError) as error:
            self.health.archive_problem = str(error) or f"no answer in {_ANSWER_SECONDS:g} s"
            self.troubles.raise_trouble("archive", self.health.archive_problem, "read")
        else:
            self.health.archive_problem = ""
            self.troubles.clear("archive", "read")
        self.metrics.archive_up.set(not self.health.archive_problem)
        waited = self.probes.archive_waiting_seconds()
        if waited > self.limits.archive_write_seconds:
            self.troubles.raise_trouble("archive", f"a write has been under way for {waited:.0f} s", "slow")
        else:
            self.troubles.clear("archive", "slow")

    def _look_at_stages(self) -> None:
        stalled = set(self.health.stalled())
        for name, state in self.health.states.items():
            self.metrics.stage_up.labels(name).set(state.up)
            if name in stalled:
                seconds = self.health.stall_ms // 1000
                self.troubles.raise_trouble(
                    "stage", f"stage {name} has finished no run for over {seconds} s (MOODWIRE_STALL_SECONDS)", name
                )
            else:
                self.troubles.clear("stage", name)

    def _look_at_watermark(self) -> None:
        watermark_ms = self.probes.watermark_ms()
        if watermark_ms is None:
            return
        behind_ms = self.clock() - watermark_ms
        if behind_ms > self.limits.watermark_ms:
            detail = f"event time is {behind_ms // 1000} s behind the clock, so alerts are late"
            self.troubles.raise_trouble(
                "watermark", f"{detail}: the `score` of a partition is behind, was stopped, or has never reported"
            )
        else:
            self.troubles.clear("watermark")

    def _look_ahead(self) -> None:
        """Event time ahead of the clock, and items that claim to be: both last until the clock has caught up."""
        now_ms = self.clock()
        farthest_ms = self.probes.farthest_ms()
        ahead_ms = 0 if farthest_ms is None else farthest_ms - now_ms
        self._settle_ahead(
            "watermark",
            ahead_ms,
            f"event time is {ahead_ms // 1000} s ahead of this machine's clock, so news is counted late: a worker's"
            " clock was ahead; set the clocks, then run `moodwire archive rebuild-state` or wait",
        )
        newest_ms, source = self.probes.newest()
        ahead_ms = newest_ms - now_ms
        self._settle_ahead(
            "clock",
            ahead_ms,
            f"an item of {source!r} claims to be seen {ahead_ms // 1000} s ahead of this machine's clock and is counted"
            " then: set the clock of its publisher, or of this machine",
        )

    def _settle_ahead(self, reason: str, ahead_ms: int, detail: str) -> None:
        if ahead_ms > self.limits.ahead_ms:
            self.troubles.raise_trouble(reason, detail, "ahead")
        else:
            self.troubles.clear(reason, "ahead")
