"""Whether this worker still owns its partitions, by two clocks.

A worker that was paused (SIGSTOP, a frozen virtual machine) past its session has lost its partitions without
knowing. The monotonic clock of some machines stops meanwhile; boot time and wall clock do not.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from streams.transport.internals import Beat

__all__ = ["Lease", "clocks"]


def clocks() -> tuple[float, float]:
    """Seconds on the clock that counts sleep too, and on the wall clock."""
    boot = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
    return boot, time.time()


class Lease:
    """Renewed by every heartbeat that the group's coordinator has answered."""

    def __init__(self, session_seconds: float, now: Callable[[], tuple[float, float]] = clocks) -> None:
        self.session_seconds = session_seconds
        self.now = now
        self._renewed = (float("-inf"), float("-inf"))

    def renew(self, sent: tuple[float, float]) -> None:
        """The heartbeat that was sent at `sent` (by `now`) was answered with yes."""
        self._renewed = max(self._renewed, sent)

    def renewed_by(self, beat: Beat, refused: Callable[[], None] | None = None) -> Beat:
        """Returns the heartbeat `beat`, which renews the lease when it is answered, and calls `refused` when not."""

        async def heartbeat() -> bool:
            sent = self.now()
            answered = await beat()
            if answered:
                self.renew(sent)
            elif refused is not None:
                refused()
            return answered

        return heartbeat

    @property
    def age_seconds(self) -> float:
        """Since the last heartbeat that was answered, by the clock that says more."""
        return max(now - then for now, then in zip(self.now(), self._renewed, strict=True))

    @property
    def fresh(self) -> bool:
        """Whether the session has certainly more than half of its time left."""
        return self.age_seconds < self.session_seconds / 2
