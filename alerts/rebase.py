"""Counts of another classifier in place of those that were made: for a model that is promoted.

    prepared   the history scored again: what would have been counted before `cut`
    live       what was counted; from `cut` on it stays, and so do episodes
             └─► the series (or stream) as if the new classifier had scored all before `cut`

A new classifier finds more or fewer hits. Against baselines of the old one its first day would be a surge, or
a surge would be missed; and windows that still hold the old one's counts would be one against baselines of its own. So
windows, hours in sight and history change together. `cut` is a full hour, which lies between panes; it should be no
more than a day old, for hours that have left sight since then are in neither.
"""

from __future__ import annotations

from alerts.clock import HOUR_MS
from alerts.config import AlertConfig
from alerts.history import History, Sight
from alerts.sections import HORIZON_HOURS
from alerts.series import RECENT_KEPT, SeriesState
from alerts.stream import StreamState, _Kind

__all__ = ["rebased_series", "rebased_stream"]

_QUARTER_MS = HOUR_MS // 4


def rebased_series(live: SeriesState, prepared: SeriesState | None, cut_ms: int, config: AlertConfig) -> SeriesState:
    """A new state; the two given are not to be used any more. `prepared` None: the new classifier saw nothing of it."""
    base = prepared or SeriesState()
    live._align(config)
    base._align(config)
    merged = SeriesState()
    merged.tick_ms, merged.late = live.tick_ms, live.late
    merged.hour = max(live.hour, base.hour)
    merged._lengths = config.lengths
    merged._panes = [
        _spliced(old, new, window.pane_ms, cut_ms)
        for old, new, window in zip(base._panes, live._panes, config.windows, strict=True)
    ]
    merged.sight = Sight(
        _spliced(base.sight.hours, live.sight.hours, HOUR_MS, cut_ms),
        _spliced(base.sight.quarters, live.sight.quarters, _QUARTER_MS, cut_ms),
    )
    recent = [one for one in base.recent if one[0] < cut_ms] + [one for one in live.recent if one[0] >= cut_ms]
    merged.recent = recent[-RECENT_KEPT:]
    merged.history = _history(base.history, live.history, cut_ms)
    merged.history.settle(merged.sight, merged.hour - HORIZON_HOURS + 1, config)
    merged.episodes, merged.held, merged.is_open = live.episodes, live.held, live.is_open
    return merged


def _spliced(before: dict[int, int], after: dict[int, int], step_ms: int, cut_ms: int) -> dict[int, int]:
    """Counts by index of time: those of `before` up to the cut, those of `after` from it on, in order."""
    first = cut_ms // step_ms
    counts = {index: count for index, count in before.items() if index < first}
    counts.update((index, count) for index, count in after.items() if index >= first)
    return dict(sorted(counts.items()))


def _history(base: History, live: History, cut_ms: int) -> History:
    """The new history; what the new classifier thought open ends, and what is open goes on being left out."""
    closed = [(start, end or cut_ms // HOUR_MS) for start, end in base.spans]
    base.spans = [*closed, *(span for span in live.spans if span[1] == 0)]
    return base


def rebased_stream(live: StreamState, prepared: StreamState, cut_ms: int, config: AlertConfig) -> StreamState:
    """The same for what all series of the partition share."""
    merged = StreamState()
    merged.start_ms, merged.late = prepared.start_ms or live.start_ms, live.late
    merged.heard_ms, merged.gap_ms = max(live.heard_ms, prepared.heard_ms), max(live.gap_ms, prepared.gap_ms)
    merged.tick_ms = live.tick_ms
    merged.settled_hour = max(live.settled_hour, prepared.settled_hour)
    for name in sorted({*prepared._kinds, *live._kinds}):
        kind = prepared._kinds.get(name) or _Kind()
        new = live._kinds.get(name) or _Kind()
        kind.recent = _spliced(kind.recent, new.recent, HOUR_MS, cut_ms)
        for bit, hour in new.pending.items():
            if hour * HOUR_MS >= cut_ms and not kind.settled[bit >> 3] >> (bit & 7) & 1:
                kind.pending.setdefault(bit, hour)
        kind.settle(merged.settled_hour, config.forgetting)
        merged._kinds[name] = kind
    return merged
