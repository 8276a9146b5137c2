"""Documents of what people decided, and of what the judge of alerts knows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from streams.archive.elastic.documents import Ecs, Event
from streams.archive.protocol import StoredDecision, StoredView

__all__ = ["decision_document", "decision_of", "view_document", "view_key", "view_of"]

_encoder = msgspec.json.Encoder()


def decision_document(decision: StoredDecision) -> bytes:
    detail = f": {decision.detail}" if decision.detail else ""
    return _encoder.encode(
        {
            "@timestamp": decision.decided_ms,
            "ecs": Ecs(),
            "event": Event(decision.id, "moodwire.decisions", decision.by, "event", "moodwire"),
            "message": f"{decision.by}: {decision.kind} {decision.target}: {decision.outcome}{detail}",
            "moodwire": {
                "decision": {
                    "place": decision.place,
                    "id": decision.id,
                    "kind": decision.kind,
                    "by": decision.by,
                    "target": decision.target,
                    "sent": decision.at_ms,
                    "decided": decision.decided_ms,
                    "outcome": decision.outcome,
                    "version": decision.version,
                    "detail": decision.detail,
                    "body": decision.body.decode(),
                }
            },
        }
    )


def decision_of(source: Mapping[str, Any]) -> StoredDecision:
    """The entry back."""
    own = source["moodwire"]["decision"]
    return StoredDecision(
        own["place"], own["id"], own["kind"], own["by"], own["target"], own["sent"], own["decided"], own["outcome"],
        own["version"], own["detail"], own["body"].encode(),
    )  # fmt: skip


def view_key(view: StoredView) -> str:
    """The document's id: Elasticsearch takes 512 bytes, and a name may be longer."""
    return hashlib.sha256(f"{view.kind}/{view.id}".encode()).hexdigest()


def view_document(view: StoredView) -> bytes:
    own = {
        "kind": view.kind,
        "id": view.id,
        "version": view.version,
        "place": view.place,
        "gone": not view.body,
        "body": view.body.decode(),
    }
    return _encoder.encode({"moodwire": {"view": own}})


def view_of(source: Mapping[str, Any]) -> StoredView:
    """The view back."""
    own = source["moodwire"]["view"]
    return StoredView(own["kind"], own["id"], own["version"], own["place"], own["body"].encode())
