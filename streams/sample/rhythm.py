"""When news is published: busy while markets are open, quiet at night, quieter at the weekend."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

__all__ = ["background_times", "spread"]

# Stories per hour of a working day (UTC): Europe's morning, the hours around Wall Street's opening at 13:30 or
# 14:30, results after its close, little at night.
_PER_HOUR = (3, 2, 2, 2, 3, 6, 10, 13, 13, 12, 12, 15, 20, 23, 20, 16, 14, 13, 12, 13, 16, 12, 7, 4)
_OF_WEEKDAY = (0.95, 1.05, 1.1, 1.1, 0.9, 0.22, 0.28)  # Monday first


def background_times(start: datetime, days: int, rng: random.Random) -> Iterator[datetime]:
    """Moments of stories, in order: a Poisson process whose rate follows the hour and the weekday."""
    for hour in range(days * 24):
        begins = start + timedelta(hours=hour)
        rate_per_hour = _PER_HOUR[begins.hour] * _OF_WEEKDAY[begins.weekday()]
        passed_hours = rng.expovariate(rate_per_hour)
        while passed_hours < 1:
            yield begins + timedelta(seconds=int(passed_hours * 3600))
            passed_hours += rng.expovariate(rate_per_hour)


def spread(begins: datetime, hours: float, count: int, rng: random.Random) -> list[datetime]:
    """`count` moments within `hours`, in order, one in each equal part, so that no phase is empty by chance."""
    part_seconds = hours * 3600 / count
    return [begins + timedelta(seconds=int((n + rng.random()) * part_seconds)) for n in range(count)]
