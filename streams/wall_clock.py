"""The wall clock, read in one place. Decisions take the time as an argument; what calls them reads it here."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["DAY_MS", "HOUR_MS", "MINUTE_MS", "wall_clock_ms"]

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000


def wall_clock_ms() -> int:
    """Returns the UTC epoch in milliseconds."""
    return time.time_ns() // 1_000_000
