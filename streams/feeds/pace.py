"""How fast a replay goes: event time passes `speed` times as fast as the wall clock."""

from __future__ import annotations

__all__ = ["Pace"]


class Pace:
    """`speed` 1 is real time, 60 an hour a minute, 0 as fast as possible. Clocks are passed in."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._start: tuple[int, float] | None = None

    def wait_seconds(self, seen_ms: int, clock_seconds: float) -> float:
        """How long to wait, at `clock_seconds` of a monotonic clock, before an item of `seen_ms` is due."""
        if self._speed <= 0:
            return 0.0
        if self._start is None:
            self._start = (seen_ms, clock_seconds)
        first_ms, start_seconds = self._start
        due = start_seconds + (seen_ms - first_ms) / 1000 / self._speed
        return max(0.0, due - clock_seconds)
