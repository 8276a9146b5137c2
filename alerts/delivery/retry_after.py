"""``Retry-After``: the one reading of it, for webhooks, feeds and Elasticsearch (RFC 9110, section 10.2.3)."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["LONGEST_RETRY_AFTER_SECONDS", "retry_after_seconds"]

LONGEST_RETRY_AFTER_SECONDS: Final = 86_400.0
_LONGEST_TEXT: Final = 64  # a date has 29 characters; the header is the server's and may have any length
_MOST_DIGITS: Final = 18  # more are no wait that a server means


def retry_after_seconds(
    value: str | None, now_ms: int, longest_seconds: float = LONGEST_RETRY_AFTER_SECONDS
) -> float | None:
    """Returns how long a server asks to wait: seconds, or those until a date; 0 to `longest_seconds`.

    None for an absent or unusable value. Never raises.
    """
    text = (value or "").strip()
    if not text or len(text) > _LONGEST_TEXT:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text), longest_seconds) if len(text) <= _MOST_DIGITS else None
    try:
        at = parsedate_to_datetime(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return min(max(at.timestamp() - now_ms / 1000, 0.0), longest_seconds)
    except (ValueError, TypeError, IndexError, OverflowError):  # a year of 99999, an offset of 99 hours
        return None
