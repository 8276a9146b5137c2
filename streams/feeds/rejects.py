"""The topic `rejects`: what could not be processed, keyed by where it stood, so that a redo writes the same key."""

from __future__ import annotations

import base64

import msgspec

from streams.engine.ports import Send
from streams.errors import Reject
from streams.records import VERSION

__all__ = ["RAW_LIMIT", "RejectRecord", "reject_send"]

RAW_LIMIT = 65_536  # bytes of the raw record that are kept


class RejectRecord(msgspec.Struct, kw_only=True, frozen=True):
    """The value of a record in topic `rejects`.

    `position` is ``file:<name>:<line>``, ``feed:<name>:<hash>`` or ``news:<partition>:<offset>:<epoch>``: a
    topic that was made again begins at offset 0 again. `raw` is base64 of at most 64 KiB of the record, `size` its
    whole length in bytes; `source` names the file or feed. `seen_ms` is when the record was first seen, which a retry
    keeps; None for a line of a file that names no date.
    """

    position: str
    reason: str
    detail: str
    at_ms: int
    raw: str
    size: int
    source: str
    seen_ms: int | None = None
    version: int = VERSION

    def raw_bytes(self) -> bytes:
        return base64.b64decode(self.raw)


def reject_send(
    topic: str,
    position: str,
    reject: Reject,
    raw: bytes,
    *,
    source: str,
    at_ms: int,
    size: int = -1,
    seen_ms: int | None = None,
) -> Send:
    """The record that parks `raw`; `size` is its whole length where `raw` was cut already."""
    record = RejectRecord(
        position=position,
        reason=reject.reason,
        detail=reject.detail,
        at_ms=at_ms,
        raw=base64.b64encode(raw[:RAW_LIMIT]).decode(),
        size=len(raw) if size < 0 else size,
        source=source,
        seen_ms=seen_ms,
    )
    return Send(topic, position.encode("utf-8", "replace"), msgspec.json.encode(record), timestamp_ms=at_ms)
