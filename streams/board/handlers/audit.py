"""`GET /v1/audit`: what people decided about alerts, the latest first."""

from __future__ import annotations

import msgspec

from streams.archive.protocol import StoredDecision
from streams.board.context import Asked
from streams.board.cursors import cursor_of, place_of
from streams.board.shapes.audit import AuditEntry, AuditQuery
from streams.board.shapes.base import Page

__all__ = ["get_audit"]


async def get_audit(asked: Asked[AuditQuery, None]) -> Page[AuditEntry]:
    """Returns a page of the audit trail."""
    query = asked.query
    found = await asked.board.archive.decisions(
        target=query.about,
        by=query.by,
        kind=query.kind,
        since_ms=query.since_ms,
        before=place_of(query, query.cursor, int),
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    following = cursor_of(query, shown[-1].place) if len(found) > len(shown) else None
    return Page(items=[_entry(one) for one in shown], next=following)


def _entry(decision: StoredDecision) -> AuditEntry:
    body = msgspec.json.decode(decision.body or b"{}")
    return AuditEntry(
        id=decision.id,
        kind=decision.kind,
        by=decision.by,
        target=decision.target,
        at_ms=max(decision.at_ms, 0),
        decided_ms=max(decision.decided_ms, 0),
        outcome=decision.outcome,
        version=decision.version,
        detail=decision.detail,
        decision=body if isinstance(body, dict) else {},
    )
