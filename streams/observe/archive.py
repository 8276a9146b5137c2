"""The archive with its figures around it: seconds, outcomes, latency, and whether it refuses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np

from streams.archive.protocol import (
    Archive,
    Claims,
    Outcome,
    StoredAlert,
    StoredDecision,
    StoredHour,
    StoredNotification,
    StoredView,
    Unscored,
    Written,
)
from streams.errors import MoodwireError, Retry
from streams.observe.metrics import Metrics
from streams.observe.troubles import Troubles
from streams.records import Scored

__all__ = ["ObservedArchive", "observed_archive"]

_SUBJECT = "write"
_KINDS = ("claims", "items", "alerts", "notifications", "decisions", "views", "hours")


class ObservedArchive:
    """Measures what is written; everything else goes straight to the archive inside. `clock` is in ms.

    A refused write raises the trouble `archive` until one succeeds. So does one that takes long: an archive
    may try by itself for as long as it wants (`waiting_seconds`, which the monitor reads).
    """

    def __init__(self, archive: Archive, metrics: Metrics, troubles: Troubles, clock: Callable[[], int]) -> None:
        self._archive = archive
        self._metrics = metrics
        self._troubles = troubles
        self._clock = clock
        self._seconds = {kind: metrics.archive_seconds.labels(kind) for kind in _KINDS}
        self._outcomes = {outcome: metrics.archived.labels(outcome.value) for outcome in Outcome}
        self._refused = metrics.archived.labels("refused")
        self._begun: dict[int, float] = {}
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._archive, name)

    @property
    def waiting_seconds(self) -> float:
        """How long the oldest write has been under way; 0 without one."""
        return time.perf_counter() - min(self._begun.values()) if self._begun else 0.0

    async def claim(self, records: Sequence[Unscored]) -> Claims | None:
        with self._measured("claims", ends_trouble=False):  # the store may still refuse what was claimed
            return await self._archive.claim(records)

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> Sequence[Written]:
        with self._measured("items"):
            outcomes = await self._archive.write_items(items, claims)
        self._count(items, outcomes)
        return outcomes

    def _count(self, items: Sequence[Scored], outcomes: Sequence[Written]) -> None:
        """What became of a batch: 0.15 µs an item, so in whole lists rather than one by one."""
        counted = 0
        for outcome, counter in self._outcomes.items():
            count = outcomes.count(outcome)
            counter.inc(count)
            counted += count
        self._refused.inc(len(outcomes) - counted)
        seen_ms = np.array([item.news.seen_ms for item in items], dtype=np.float64)
        self._metrics.archive_latency.observe_many((self._clock() - seen_ms) / 1000)
        for item, written in zip(items, outcomes, strict=True):
            if not item.heads and written is Outcome.ADDED:
                self._metrics.unscored.labels(item.language).inc()
        self._metrics.late_items.inc([item.late for item in items].count(True))

    async def write_alerts(self, alerts: Sequence[StoredAlert]) -> None:
        with self._measured("alerts"):
            await self._archive.write_alerts(alerts)

    async def record_notifications(self, notifications: Sequence[StoredNotification]) -> None:
        with self._measured("notifications"):
            await self._archive.record_notifications(notifications)

    async def record_decisions(self, decisions: Sequence[StoredDecision]) -> None:
        with self._measured("decisions"):
            await self._archive.record_decisions(decisions)

    async def record_views(self, views: Sequence[StoredView]) -> None:
        with self._measured("views"):
            await self._archive.record_views(views)

    async def record_hours(self, hours: Sequence[StoredHour]) -> None:
        with self._measured("hours"):
            await self._archive.record_hours(hours)

    @contextmanager
    def _measured(self, kind: str, *, ends_trouble: bool = True) -> Iterator[None]:
        begun = time.perf_counter()
        self._calls += 1
        call = self._calls
        self._begun[call] = begun
        try:
            yield
        except MoodwireError as error:
            self._metrics.archive_failures.labels("retry" if isinstance(error, Retry) else "error").inc()
            self._troubles.raise_trouble("archive", f"the archive refuses {kind}: {error}", _SUBJECT)
            raise
        finally:
            del self._begun[call]
        self._seconds[kind].observe(time.perf_counter() - begun)
        if ends_trouble:
            self._troubles.clear("archive", _SUBJECT)


def observed_archive(
    archive: Archive, metrics: Metrics, troubles: Troubles, clock: Callable[[], int]
) -> tuple[Archive, ObservedArchive]:
    """The archive to use, and the same as what watches it: one object, of which mypy cannot see both sides."""
    observed = ObservedArchive(archive, metrics, troubles, clock)
    return cast("Archive", observed), observed
