"""What an answer of Elasticsearch means for a write: pure decisions over status, error type and reason."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from alerts.delivery.retry_after import retry_after_seconds

__all__ = ["Verdict", "asked_wait_seconds", "error_of", "judge"]


class Verdict(Enum):
    """What to do next."""

    DONE = "done"
    CONFLICT = "conflict"
    """It stands there already, or something newer does: a success for whoever asked for it once."""
    MISSING = "missing"
    AGAIN = "again"
    """The server is busy or away: try again with back-off."""
    TROUBLE = "trouble"
    """It will not pass by itself: somebody must act. The partition waits, nothing is dropped."""
    SPLIT = "split"
    """Too large for one request."""
    REFUSED = "refused"
    """This document can never be stored as it is."""


_LONGEST_WAIT_SECONDS = 300.0
_DOCUMENT_ERRORS = frozenset(
    {"mapper_parsing_exception", "document_parsing_exception", "strict_dynamic_mapping_exception"}
)
_DOCUMENT_REASONS = ("immense term", "failed to parse")
"""In an `illegal_argument_exception`: the document's own fault. Without them it may be a limit of the cluster."""


def judge(status: int, error_type: str = "", reason: str = "") -> Verdict:
    """The verdict on one answer, or on one item of a bulk answer. Whatever is not known is trouble, never a loss."""
    if 200 <= status < 300:
        return Verdict.DONE
    if status == 409:
        return Verdict.CONFLICT
    if status == 413:
        return Verdict.SPLIT
    if error_type == "cluster_block_exception" and status in (403, 429):
        return Verdict.TROUBLE  # read-only, perhaps for want of disk
    if status in (408, 429) or status >= 500:
        return Verdict.AGAIN
    if status == 400 and _is_documents_fault(error_type, reason):
        return Verdict.REFUSED
    return Verdict.MISSING if status == 404 else Verdict.TROUBLE


def _is_documents_fault(error_type: str, reason: str) -> bool:
    if error_type in _DOCUMENT_ERRORS:
        return True
    return error_type == "illegal_argument_exception" and any(part in reason for part in _DOCUMENT_REASONS)


def error_of(answer: object) -> tuple[str, str]:
    """(type, reason) of an error answer or a bulk item's error; the innermost cause is added to the reason."""
    error = answer.get("error", answer) if isinstance(answer, Mapping) else answer
    if not isinstance(error, Mapping):
        return "", str(error)[:500]
    reason = str(error.get("reason", ""))
    cause: Any = error.get("caused_by")
    while isinstance(cause, Mapping) and isinstance(cause.get("caused_by"), Mapping):
        cause = cause["caused_by"]
    if isinstance(cause, Mapping) and cause.get("reason"):
        reason = f"{reason}: {cause['reason']}"
    return str(error.get("type", "")), reason[:500]


def asked_wait_seconds(headers: Mapping[str, str], now_ms: int) -> float:
    """What ``Retry-After`` asks for, at most 300 s; 0 without it."""
    return retry_after_seconds(headers.get("retry-after"), now_ms, _LONGEST_WAIT_SECONDS) or 0.0
