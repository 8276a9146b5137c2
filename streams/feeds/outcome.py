"""What a poll of a feed brought."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Poll", "PollOutcome", "PollTopics"]


class PollOutcome(Enum):
    """Why a poll published what it did."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Poll:
    """One poll of one feed: its outcome, what was published, and when the feed is due again (None: never).

    `dropped` counts entries beyond the most that one document may have. `costly`: its document was read and took
    the parser over a second, so the feed waits longer.
    """

    outcome: PollOutcome
    published: int = 0
    rejected: int = 0
    due_ms: int | None = None
    error: str = ""
    dropped: int = 0
    costly: bool = False


@dataclass(frozen=True, slots=True)
class PollTopics:
    """Where a poller publishes."""

    news: str
    rejects: str
