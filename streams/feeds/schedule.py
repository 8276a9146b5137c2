"""When a feed is asked next, and what is remembered of it between two polls."""

from __future__ import annotations

import hashlib
import random

import msgspec

__all__ = ["FeedState", "after_failure", "after_success", "state_key"]

_LONGEST_WAIT_SECONDS = 6 * 3600.0
_LONGEST_RETRY_AFTER_SECONDS = 24 * 3600.0
_LONGEST_WAIT_OF_COSTLY_SECONDS = 3600.0  # whose documents are news nevertheless
_MOST_DOUBLINGS = 16
_JITTER = 0.1  # of the interval, so that feeds of one host drift apart


class FeedState(msgspec.Struct, frozen=True):
    """What survives a restart. `recent` are keys of entries published already, oldest first.

    `moved_to` is where the feed has moved for good; `gone` (HTTP 410) feeds are asked no more. `slow`: the last
    fetch took long. `costly`: how many documents in a row took the parser long.
    """

    etag: str | None = None
    modified: str | None = None
    body_hash: str | None = None
    recent: tuple[str, ...] = ()
    moved_to: str | None = None
    failures: int = 0
    due_ms: int = 0
    gone: bool = False
    error: str = ""
    slow: bool = False
    costly: int = 0


def state_key(url: str) -> str:
    """The key of a feed's note of progress."""
    return f"feed:{hashlib.sha256(url.encode()).hexdigest()[:32]}"


def after_success(interval_seconds: float, now_ms: int, rng: random.Random, costly: int = 0) -> int:
    """When the feed is due again (UTC epoch milliseconds), after `costly` documents in a row that took long to parse.

    Those double the interval as failures do, but only up to an hour.
    """
    wait_seconds = _doubled(interval_seconds, costly, _LONGEST_WAIT_OF_COSTLY_SECONDS)
    return now_ms + int(wait_seconds * rng.uniform(1 - _JITTER, 1 + _JITTER) * 1000)


def _doubled(interval_seconds: float, times: int, longest_seconds: float) -> float:
    return min(interval_seconds * (1 << min(times, _MOST_DOUBLINGS)), max(longest_seconds, interval_seconds))


def after_failure(
    interval_seconds: float, failures: int, retry_after_seconds: float | None, now_ms: int, rng: random.Random
) -> int:
    """Twice the interval after the first failure in a row, then doubling up to 6 hours, with jitter.

    A longer ``Retry-After`` of the server is obeyed, up to a day.
    """
    wait_seconds = _doubled(interval_seconds, failures, _LONGEST_WAIT_SECONDS)
    wait_seconds *= rng.uniform(1 - _JITTER, 1 + _JITTER)
    asked_seconds = min(retry_after_seconds or 0.0, _LONGEST_RETRY_AFTER_SECONDS)
    return now_ms + int(max(wait_seconds, asked_seconds) * 1000)
