"""Which feeds fail, which are not polled when they are due, and which bring nothing new for longer than they may."""

from __future__ import annotations

from dataclasses import dataclass

from streams.feeds.outcome import Poll, PollOutcome
from streams.observe.metrics import Metrics
from streams.observe.troubles import Troubles
from streams.wall_clock import HOUR_MS

__all__ = ["FeedWatch"]

_RESULTS = {
    PollOutcome.UPDATED: "new",
    PollOutcome.UNCHANGED: "unchanged",
    PollOutcome.FAILED: "failed",
    PollOutcome.GONE: "failed",
}


_OVERDUE_INTERVALS = 5
_OVERDUE_MS = 90_000  # a poll under way may take 60 s of fetching


@dataclass(frozen=True, slots=True)
class _Plan:
    """When a feed is to be asked next (ms), and how often in general."""

    due_ms: int
    interval_seconds: float

    def is_overdue(self, now_ms: int) -> bool:
        return now_ms - self.due_ms > max(_OVERDUE_MS, _OVERDUE_INTERVALS * self.interval_seconds * 1000)


class FeedWatch:
    """Remembers when each feed last brought something; a feed's time begins when it is first polled.

    `silent_ms` is how long a feed may bring nothing; 0 means for ever.
    """

    def __init__(self, metrics: Metrics, silent_ms: int) -> None:
        self._metrics = metrics
        self._silent_ms = silent_ms
        self._last_ms: dict[str, int] = {}
        self._problem: dict[str, str] = {}
        self._failing: set[str] = set()
        self._plans: dict[str, _Plan] = {}

    def planned(self, feed: str, interval_seconds: float, due_ms: int | None, now_ms: int) -> None:
        """To be called before a feed is polled at all; `due_ms` None: never."""
        if due_ms is not None:
            self._plans[feed] = _Plan(max(due_ms, now_ms), interval_seconds)

    def polled(self, feed: str, poll: Poll, now_ms: int) -> None:
        """To be called after each poll."""
        self._metrics.feed_polls.labels(_RESULTS[poll.outcome]).inc()
        self._metrics.feed_entries_dropped.inc(poll.dropped)
        self._metrics.feeds_costly.inc(poll.costly)
        plan = self._plans.pop(feed, None)
        if plan is not None:
            self.planned(feed, plan.interval_seconds, poll.due_ms, now_ms)
        self._problem[feed] = poll.error
        self._failing.discard(feed)
        if poll.outcome in (PollOutcome.FAILED, PollOutcome.GONE):
            self._failing.add(feed)
        self._metrics.feeds_failing.set(len(self._failing))
        if poll.published or feed not in self._last_ms:
            self._last_ms[feed] = now_ms

    @property
    def answering(self) -> tuple[int, int] | None:
        """How many feeds answered at their last poll, and how many are polled; None without any. For other threads."""
        known = len(self._plans.keys() | self._last_ms.keys())
        return (len(self._last_ms) - len(self._failing), known) if known else None

    def look(self, troubles: Troubles, now_ms: int) -> None:
        """Raises and clears `feeds`, when every feed fails, `feed_overdue`, and `feed_silent` of each feed."""
        self._look_at_all(troubles)
        self._look_at_plans(troubles, now_ms)
        if not self._silent_ms:
            return
        for feed, last_ms in self._last_ms.items():
            silent_ms = now_ms - last_ms
            if silent_ms > self._silent_ms:
                said = self._problem[feed] or "it answers, with nothing new"
                detail = f"feed {feed} has brought nothing for {silent_ms / HOUR_MS:.0f} h: {said}"
                troubles.raise_trouble("feed_silent", detail, feed)
            else:
                troubles.clear("feed_silent", feed)

    def _look_at_all(self, troubles: Troubles) -> None:
        known = len(self._last_ms)
        if known and len(self._failing) == known:
            feed = max(self._failing, key=lambda name: self._last_ms[name])
            detail = f"every feed fails ({known} of {known}), so there is no news; {feed}: {self._problem[feed]}"
            troubles.raise_trouble("feeds", detail)
        else:
            troubles.clear("feeds")

    def _look_at_plans(self, troubles: Troubles, now_ms: int) -> None:
        overdue = {feed: plan for feed, plan in self._plans.items() if plan.is_overdue(now_ms)}
        if not overdue:
            troubles.clear("feed_overdue")
            return
        feed, plan = min(overdue.items(), key=lambda item: item[1].due_ms)
        late_seconds = (now_ms - plan.due_ms) / 1000
        detail = f"polls of {len(overdue)} of {len(self._plans)} feeds are overdue; {feed} should have been asked "
        troubles.raise_trouble("feed_overdue", f"{detail}{late_seconds:.0f} s ago, every {plan.interval_seconds:.0f} s")
