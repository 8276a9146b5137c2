"""The topic `rejects`: what could not be processed, keyed by where it stood, so that a redo writes the same key."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from streams.engine.ports import Send
from streams.engine.runs import Record, Run
from streams.errors import Reject
from streams.records import VERSION, Position
from streams.topics import OWN_HEADERS

__all__ = ["RAW_LIMIT", "RejectHeader", "RejectRecord", "Unprocessed", "parked_send", "reject_send"]

RAW_LIMIT = 65_536  # bytes of the raw record that are kept
_DETAIL_LIMIT = 2_000  # characters
_NAME_LIMIT = 4_096  # bytes of the key, and characters of a name
_HEADERS_LIMIT = 16_384  # bytes of headers
_HEADER_BYTES = 32


class RejectHeader(msgspec.Struct, frozen=True):
    """A header of a parked record; `value` is base64."""

    name: str
    value: str

    def pair(self) -> tuple[str, bytes]:
        return self.name, base64.b64decode(self.value)


class RejectRecord(msgspec.Struct, kw_only=True, frozen=True):
    """The value of a record in topic `rejects`.

    `id` is the record's key too: ``file:<name>:<line>``, ``feed:<name>:<hash>``, ``push:<who>:<hash>`` or
    ``<topic>:<partition>:<offset>:<epoch>``, where the topic is news, mentions or alerts; its epoch is another when it
    was made again. `position` holds the parts of the last form, None for the others. `raw` is base64 of at most 64 KiB
    of the record, `size` its whole length in bytes; `source` names the file, feed or topic. `seen_ms` is when it was
    first seen, which a retry keeps; None for a line of a file that names no date. `key` is base64 of the record's
    key, empty where it had none or a longer one than is kept; `headers` are its first 16 KiB of headers.
    """

    id: str
    reason: str
    detail: str
    at_ms: int
    raw: str
    size: int
    source: str
    seen_ms: int | None = None
    key: str = ""
    headers: tuple[RejectHeader, ...] = ()
    position: Position | None = None
    schema: int = VERSION

    def raw_bytes(self) -> bytes:
        return base64.b64decode(self.raw)

    def key_bytes(self) -> bytes | None:
        return base64.b64decode(self.key) or None

    def sent_headers(self) -> tuple[tuple[str, bytes], ...]:
        """The headers to send the record with again: those that mean something to moodwire were for one time only."""
        return tuple(one.pair() for one in self.headers if not one.name.startswith(OWN_HEADERS))

    @property
    def kind(self) -> str:
        """Where it was: `file`, `feed`, `push`, or the topic without its prefix."""
        return self.id.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Unprocessed:
    """What could not be processed, of any length; a `RejectRecord` says what the fields mean.

    `size` is the whole length in bytes where `raw` was cut already; None: that of `raw`.
    """

    id: str
    source: str
    raw: bytes
    size: int | None = None
    seen_ms: int | None = None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    position: Position | None = None


def parked_send(topic: str, kind: str, run: Run, record: Record, reject: Reject, *, at_ms: int) -> Send:
    """Returns the record that parks one of a run of the topic `kind`, by its position.

    It was first seen at its own time, unless that is none or its clock is ahead.
    """
    position = Position(run.epoch, run.partition, record.offset)
    found = Unprocessed(
        id=f"{kind}:{position.partition}:{position.offset}:{position.epoch}",
        source=run.topic,
        raw=record.value or b"",
        seen_ms=record.timestamp_ms if 0 < record.timestamp_ms < at_ms else at_ms,
        key=record.key,
        headers=record.headers,
        position=position,
    )
    return reject_send(topic, found, reject, at_ms)


def reject_send(topic: str, found: Unprocessed, reject: Reject, at_ms: int) -> Send:
    """Returns the record that parks what could not be processed, and why; it is bounded itself."""
    kept_key = found.key if found.key is not None and len(found.key) <= _NAME_LIMIT else b""
    record = RejectRecord(
        id=found.id,
        reason=reject.reason,
        detail=_plain(reject.detail, _DETAIL_LIMIT),
        at_ms=at_ms,
        raw=base64.b64encode(found.raw[:RAW_LIMIT]).decode(),
        size=len(found.raw) if found.size is None else found.size,
        source=_plain(found.source, _NAME_LIMIT),
        seen_ms=found.seen_ms,
        key=base64.b64encode(kept_key).decode(),
        headers=tuple(_kept(found.headers)),
        position=found.position,
    )
    return Send(topic, found.id.encode("utf-8", "replace"), msgspec.json.encode(record), timestamp_ms=at_ms)


def _kept(headers: Iterable[tuple[str, bytes]]) -> Iterator[RejectHeader]:
    left = _HEADERS_LIMIT
    for name, value in headers:
        left -= len(name) + len(value) + _HEADER_BYTES
        if left < 0:
            return
        yield RejectHeader(_plain(name, _NAME_LIMIT), base64.b64encode(value).decode())


def _plain(text: str, limit: int) -> str:
    """Bounded, and fit for JSON: lone surrogates, which names of files may hold, are replaced."""
    return text[:limit].encode("utf-8", "replace").decode()
