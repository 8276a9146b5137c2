"""How often a receiver may be sent something: at most so many attempts within so long. Pure: times are arguments."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field

__all__ = ["Pace", "Rate"]


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `messages` within any span of `per_ms`."""

    messages: int
    per_ms: int


@dataclass(slots=True)
class Pace:
    """The attempts that count, at most as many as the rate allows; without a rate nothing is held back."""

    rate: Rate | None = None
    times: list[int] = field(default_factory=list)

    def sent(self, at_ms: int) -> None:
        """An attempt was made then, in any order."""
        if self.rate is not None:
            insort(self.times, at_ms)
            del self.times[: -self.rate.messages]

    def wait_ms(self, now_ms: int) -> int:
        """Returns how long the next attempt has to wait, 0 for not at all; a clock that went back ends a wait."""
        if self.rate is None or len(self.times) < self.rate.messages or self.times[-1] > now_ms:
            return 0
        return max(self.times[0] + self.rate.per_ms - now_ms, 0)
