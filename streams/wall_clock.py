"""The wall clock, read in one place. Decisions take the time as an argument; what calls them reads it here."""

from __future__ import annotations

import time

__all__ = ["wall_clock_ms"]


def wall_clock_ms() -> int:
    """Returns the UTC epoch in milliseconds."""
    return time.time_ns() // 1_000_000
