"""The audit trail: what people decided, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from streams.board.shapes.base import Cursor, Limit, TimeMs

__all__ = ["AuditEntry", "AuditQuery"]


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which decisions: about an alert, group, silence or name; by a person; of a kind; sent since a time."""

    about: Annotated[str, Meta(max_length=1_000)] = ""
    by: Annotated[str, Meta(max_length=200)] = ""
    kind: Annotated[str, Meta(max_length=50)] = ""
    since_ms: TimeMs | None = None
    limit: Limit = 50
    cursor: Cursor = ""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A decision: who sent it when, when a worker decided, and its outcome. `decision` is what was sent."""

    id: str
    kind: str
    by: str
    target: str
    at_ms: TimeMs
    decided_ms: TimeMs
    outcome: str
    version: int
    detail: str
    decision: dict[str, Any]
