"""What a series counted in an hour and what it expected, once the hour is over: for charts and bands drawn later.

    the tick at an hour's end closes ─► hour_of ─► StoredHour, archived before the row of the series is written

The row says that the tick is closed, so after a crash the hour is either made again, the same, or archived already.
"""

from __future__ import annotations

from dataclasses import replace

from alerts import AlertConfig, StreamState
from alerts.bands import BUSY_ITEMS, band_of
from alerts.history import HIT, TOTAL_MASK
from streams.archive.protocol import StoredHour
from streams.stages.watch_rows import Series
from streams.wall_clock import HOUR_MS

__all__ = ["hour_of"]


def hour_of(entry: Series, stream: StreamState | None, tick_ms: int, config: AlertConfig) -> StoredHour | None:
    """Returns the hour that ends at the closed tick `tick_ms`; None for a silent one of a quiet series."""
    state, start_ms = entry.state, tick_ms - HOUR_MS
    packed = state.sight.hours.get(start_ms // HOUR_MS, 0)
    if stream is None or (not packed and state.horizon_items() < BUSY_ITEMS):
        return None
    hour = StoredHour(entry.signal, entry.name, start_ms, packed & TOTAL_MASK, packed // HIT)
    band = band_of(state, stream, entry.kind, tick_ms, HOUR_MS, config)
    if band is None:
        return hour
    return replace(hour, expected=band.expected, excess=band.excess, low=band.low, high=band.high)
