"""How long to wait before a failed attempt is repeated: the one back-off of stages, archives, feeds and receivers.

    failures in a row ──► doubled, at most the longest ──► spread by chance ──► at least what was asked for

Pure: the failures, the chance and what a server asks for (`alerts.delivery.retry_after`) are arguments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, wait_exponential

__all__ = ["Backoff"]

_ANY_CALL = Retrying()  # tenacity asks for the call that failed, and looks only at the number of its attempts


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits in seconds: `first_seconds` after one failure, doubled with each more in a row, at most `longest_seconds`.

    `spread` are the factors at a chance of 0 and of 1, so that those that failed together do not return together. A
    longer wait that is asked for is obeyed, up to `longest_asked_seconds`.
    """

    first_seconds: float
    longest_seconds: float
    spread: tuple[float, float] = (1.0, 1.0)
    longest_asked_seconds: float = math.inf

    def wait_seconds(self, failures: int, *, chance: float = 0.0, asked_seconds: float = 0.0) -> float:
        """Returns the wait after so many failures in a row, from 1; `chance` is in [0, 1)."""
        call = RetryCallState(_ANY_CALL, None, (), {})
        call.attempt_number = failures
        doubled = wait_exponential(self.first_seconds, max=self.longest_seconds, exp_base=2.0)(call)
        low, high = self.spread
        return max(doubled * (low + (high - low) * chance), min(asked_seconds, self.longest_asked_seconds))
