"""Arithmetic of time: ticks, hours of the week and forgetting; pure functions of UTC epoch milliseconds.

    seen ──► tick_of ──► the tick that closes it           (multiples of the hop)
    hour ──► week_hour (0..167, Monday 00:00 is 0)         kind profiles
         └─► day_cell  (0..47, 24 weekday + 24 weekend)    a series' own rhythm

Hours and days are integers since the epoch. Forgetting is counted in whole days, so that a state depends on
what was counted and never on how often it was looked at.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DAY_CELLS",
    "DAY_MS",
    "HOUR_MS",
    "MINUTE_MS",
    "WEEK_HOURS",
    "day_cell",
    "exposure_hours",
    "fold_week",
    "forgetting_per_day",
    "tick_of",
    "week_hour",
]

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
WEEK_HOURS: Final = 168
DAY_CELLS: Final = 48
_EPOCH_WEEK_HOUR: Final = 72  # 1970-01-01T00:00Z was a Thursday
_WEEKEND_STARTS: Final = 120

_CELL_OF_WEEK_HOUR: Final = tuple(h % 24 + (24 if h >= _WEEKEND_STARTS else 0) for h in range(WEEK_HOURS))
_WEEK_HOURS: Final = np.arange(WEEK_HOURS)


def tick_of(seen_ms: int, hop_ms: int) -> int:
    """The tick (a multiple of `hop_ms`) that closes an item seen at `seen_ms`: the first one after it."""
    return (seen_ms // hop_ms + 1) * hop_ms


def week_hour(hour: int) -> int:
    """Hour of the week, 0 is Monday 00:00 UTC, of an hour since the epoch."""
    return (hour + _EPOCH_WEEK_HOUR) % WEEK_HOURS


def day_cell(hour: int) -> int:
    """0..23 for the hours of a weekday, 24..47 for those of Saturday and Sunday (UTC)."""
    return _CELL_OF_WEEK_HOUR[(hour + _EPOCH_WEEK_HOUR) % WEEK_HOURS]


def forgetting_per_day(half_life_days: float) -> float:
    """The factor by which a count's weight falls in a day."""
    return float(0.5 ** (1.0 / half_life_days))


def exposure_hours(start_hour: int, end_hour: int, today: int, forgetting: float) -> NDArray[np.float64]:
    """How many hours of each hour of the week lie in [start_hour, end_hour), older ones weighing less.

    Returns shape (168,), in hours; an hour `d` days before `today` weighs ``forgetting ** d``. Closed form (a
    geometric sum per hour of the week), so it costs the same for a day and for ten years, and is the same
    number however often it was asked before.
    """
    if end_hour <= start_hour:
        return np.zeros(WEEK_HOURS)
    last = end_hour - 1 - (end_hour - 1 + _EPOCH_WEEK_HOUR - _WEEK_HOURS) % WEEK_HOURS
    weeks = np.maximum((last - start_hour) // WEEK_HOURS + 1, 0)
    most, weekly = (end_hour - start_hour - 1) // WEEK_HOURS + 1, forgetting**7
    sums = [(1.0 - weekly**count) / (1.0 - weekly) for count in (most - 1, most)]
    days_ago = today - last // 24
    nearest = today - (end_hour - 1) // 24
    newest = np.array([forgetting ** (nearest + day) for day in range(9)])
    total: NDArray[np.float64] = newest[days_ago - nearest] * np.array(sums)[weeks - (most - 1)]
    return total


def fold_week(per_week_hour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums shape (168,) over the days of each kind: shape (48,), weekday hours first."""
    days = per_week_hour.reshape(7, 24)
    return np.concatenate((days[:5].sum(axis=0), days[5:].sum(axis=0)))
