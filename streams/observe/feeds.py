"""Which feeds fail, and which have fallen silent: no new item for longer than they may."""

from __future__ import annotations

from streams.feeds.poller import Poll, PollOutcome
from streams.observe.metrics import Metrics
from streams.observe.troubles import Troubles

__all__ = ["FeedWatch"]

_RESULTS = {
    PollOutcome.UPDATED: "new",
    PollOutcome.UNCHANGED: "unchanged",
    PollOutcome.FAILED: "failed",
    PollOutcome.GONE: "failed",
}


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

    def polled(self, feed: str, poll: Poll, now_ms: int) -> None:
        """To be called after each poll."""
        self._metrics.feed_polls.labels(_RESULTS[poll.outcome]).inc()
        self._metrics.feed_entries_dropped.inc(poll.dropped)
        self._problem[feed] = poll.error
        self._failing.discard(feed)
        if poll.outcome in (PollOutcome.FAILED, PollOutcome.GONE):
            self._failing.add(feed)
        self._metrics.feeds_failing.set(len(self._failing))
        if poll.published or feed not in self._last_ms:
            self._last_ms[feed] = now_ms

    def look(self, troubles: Troubles, now_ms: int) -> None:
        """Raises and clears the trouble `feeds`, when every feed fails, and `feed_silent` of each feed."""
        self._look_at_all(troubles)
        if not self._silent_ms:
            return
        for feed, last_ms in self._last_ms.items():
            silent_ms = now_ms - last_ms
            if silent_ms > self._silent_ms:
                said = self._problem[feed] or "it answers, with nothing new"
                detail = f"feed {feed} has brought nothing for {silent_ms / 3_600_000:.0f} h: {said}"
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
