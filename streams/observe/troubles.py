"""What is wrong with moodwire itself: raised and cleared by whoever notices, told once an episode.

    raise_trouble(reason, detail) ──► active ──(after the grace)──► to_tell: opened ──► Notice ──► channels
    clear(reason)                 ──► gone   ──(if it was told)───► to_tell: resolved

An operator sees trouble at once in /ready and in the metrics; people are told only of what lasts.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from alerts.delivery import Notice
from streams.observe.metrics import Metrics
from streams.wall_clock import MINUTE_MS, wall_clock_ms

__all__ = ["REASONS", "Trouble", "Troubles"]

REASONS = (
    "archive",
    "broker",
    "lag",
    "retention",
    "feed_overdue",
    "feed_silent",
    "feeds",
    "task",
    "stage",
    "watermark",
    "clock",
    "model",
    "parked",
    "channel",
    "partition_away",
    "rules",
    "rule_often",
)
"""All reasons, so that a dashboard shows a zero for each."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong: `reason` is one of `REASONS`, `subject` names which stage, feed or topic it is about.

    `until_ms` is when it ends by itself: something that happened, rather than something that lasts.
    """

    reason: str
    subject: str
    detail: str
    since_ms: int
    told: bool = False
    until_ms: int | None = None


class Troubles:
    """The troubles of one process, thread-safe. `instance` tells processes apart in the ids of notices.

    A trouble that is cleared within `grace_ms` is never told.
    """

    def __init__(
        self,
        metrics: Metrics,
        instance: str,
        *,
        grace_ms: int = MINUTE_MS,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._metrics = metrics
        self._instance = instance
        self._grace_ms = grace_ms
        self._clock = clock
        self._active: dict[tuple[str, str], Trouble] = {}
        self._resolved: list[Trouble] = []
        self._lock = threading.Lock()
        for reason in REASONS:
            metrics.trouble.labels(reason).set(0)
            metrics.troubles.labels(reason)

    def raise_trouble(self, reason: str, detail: str, subject: str = "", *, lasts_ms: int | None = None) -> None:
        """Starts an episode, or renews the detail of the one that lasts.

        It lasts until it is cleared, or `lasts_ms` from now on. One that ends by itself is told at once.
        """
        if reason not in REASONS:
            raise ValueError(f"there is no trouble {reason!r}; take one of {', '.join(REASONS)}")
        now_ms = self._clock()
        until_ms = None if lasts_ms is None else now_ms + lasts_ms
        with self._lock:
            known = self._active.get((reason, subject))
            if known is not None:
                self._active[reason, subject] = replace(known, detail=detail, until_ms=until_ms)
                return
            self._active[reason, subject] = Trouble(reason, subject, detail, now_ms, until_ms=until_ms)
            self._metrics.troubles.labels(reason).inc()
            self._metrics.trouble.labels(reason).set(1)

    def clear(self, reason: str, subject: str = "") -> None:
        """Ends the episode, if there is one."""
        if (reason, subject) not in self._active:  # the common case, without the lock
            return
        with self._lock:
            trouble = self._active.pop((reason, subject), None)
            if trouble is None:
                return
            if trouble.told:
                self._resolved.append(trouble)
            left = Counter(name for name, _ in self._active)
            self._metrics.trouble.labels(reason).set(int(left[reason] > 0))

    @property
    def active(self) -> list[Trouble]:
        """What is wrong now, the longest first."""
        with self._lock:
            return sorted(self._active.values(), key=lambda trouble: trouble.since_ms)

    def take_notices(self) -> list[Notice]:
        """What people are to be told now; each episode's start and end come out once."""
        now_ms = self._clock()
        for over in [one for one in self.active if one.until_ms is not None and now_ms >= one.until_ms]:
            self.clear(over.reason, over.subject)
        with self._lock:
            fresh = [
                trouble
                for trouble in self._active.values()
                if not trouble.told and (trouble.until_ms or now_ms - trouble.since_ms >= self._grace_ms)
            ]
            for trouble in fresh:
                self._active[trouble.reason, trouble.subject] = replace(trouble, told=True)
            ended, self._resolved = self._resolved, []
        return [self._notice(trouble, "resolved", now_ms) for trouble in ended] + [
            self._notice(trouble, "opened", now_ms) for trouble in fresh
        ]

    def _notice(self, trouble: Trouble, change: str, now_ms: int) -> Notice:
        words = f"{self._instance}\0{trouble.reason}\0{trouble.subject}\0{trouble.since_ms}"
        return Notice(
            id=hashlib.sha256(words.encode()).hexdigest()[:32],
            revision=1 if change == "opened" else 2,
            change=change,
            reason=trouble.reason,
            subject=trouble.subject,
            detail=trouble.detail,
            instance=self._instance,
            since_ms=trouble.since_ms,
            updated_ms=now_ms,
        )
