"""What the monitor makes of the channels of `deliver`: figures, and trouble with those that fail for a while."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.delivery import ReceiverState
from streams.observe.metrics import Metrics
from streams.observe.troubles import Troubles
from streams.wall_clock import MINUTE_MS

__all__ = ["look_at_receivers"]


def look_at_receivers(
    states: Iterable[ReceiverState], metrics: Metrics, troubles: Troubles, now_ms: int, failing_ms: int
) -> None:
    """Shows what waits for each receiver; raises the trouble `channel` when its attempts fail for `failing_ms`."""
    for state in states:
        oldest_ms = 0 if state.oldest_ms is None else max(0, now_ms - state.oldest_ms)
        metrics.waiting.labels(state.name).set(state.waiting)
        metrics.oldest_waiting.labels(state.name).set(oldest_ms / 1000)
        if state.failing_ms is not None and now_ms - state.failing_ms >= failing_ms:
            minutes = (now_ms - state.failing_ms) // MINUTE_MS
            troubles.raise_trouble(
                "channel",
                f"{state.name} has not taken notifications for {minutes} min, {state.waiting:,} wait: "
                f"{state.problem or 'an attempt hangs'}; "
                "look at `moodwire deliver list`",
                state.name,
            )
        else:
            troubles.clear("channel", state.name)
