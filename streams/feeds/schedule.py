"""When a feed is asked next, and what is remembered of it between two polls."""

from __future__ import annotations

import hashlib
import random

import msgspec

from alerts.backoff import Backoff

__all__ = ["FeedState", "after_failure", "after_success", "state_key"]

_LONGEST_WAIT_SECONDS = 6 * 3600.0
_LONGEST_ASKED_SECONDS = 24 * 3600.0
_LONGEST_WAIT_OF_COSTLY_SECONDS = 3600.0  # whose documents are news nevertheless
_SPREAD = (0.9, 1.1)  # of the wait, so that feeds of one host drift apart


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
    backoff = _backoff(interval_seconds, _LONGEST_WAIT_OF_COSTLY_SECONDS)
    return now_ms + int(backoff.wait_seconds(costly + 1, chance=rng.random()) * 1000)


def _backoff(interval_seconds: float, longest_seconds: float) -> Backoff:
    """The interval itself is the first wait, so that a failure doubles it; a longer interval is not shortened."""
    return Backoff(interval_seconds, max(longest_seconds, interval_seconds), _SPREAD, _LONGEST_ASKED_SECONDS)


def after_failure(
    interval_seconds: float, failures: int, retry_after_seconds: float | None, now_ms: int, rng: random.Random
) -> int:
    """Twice the interval after the first failure in a row, then doubling up to 6 hours, with jitter.

    A longer ``Retry-After`` of the server is obeyed, up to a day.
    """
    backoff = _backoff(interval_seconds, _LONGEST_WAIT_SECONDS)
    wait = backoff.wait_seconds(failures + 1, chance=rng.random(), asked_seconds=retry_after_seconds or 0.0)
    return now_ms + int(wait * 1000)
