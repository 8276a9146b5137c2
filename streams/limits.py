"""How large a record may be that we send, and what a broker must take for it.

A Kafka topic takes a batch of at most `max.message.bytes`, by default 1 MiB. A batch of ours is at most `BATCH_BYTES`
large or holds a single record, so a topic that takes the largest record takes everything. The embedded broker has no
limit of its own and keeps to the same ones, so that work can move to Kafka.
"""

from __future__ import annotations

from collections.abc import Iterable

from streams.engine.ports import Send
from streams.errors import TooLarge, TransportError

__all__ = [
    "BATCH_BYTES",
    "ENTITIES_PER_ITEM",
    "RECORD_BYTES",
    "ROW_BYTES",
    "WATCHLISTS_PER_ITEM",
    "check_records",
    "check_rows",
    "needed_bytes",
    "record_bytes",
]

RECORD_BYTES = 900 << 10
"""Largest record of a topic that is no changelog: key, value and headers. Fits Kafka's default with room to spare."""

ROW_BYTES = 900 << 10
"""Largest row of a changelog: key, value and headers. Those of `watch` stay below 128 KB, but for baselines that wait
for a promotion (512 KB and one series): what could grow is kept in parts."""

BATCH_BYTES = 512 << 10
"""A batch is sent once it holds so much."""

ENTITIES_PER_ITEM = 128
"""Most entities of one item: those that its source names, then the most relevant of its text. The mentions and the
scored record of one item are each a record that cannot be split."""

WATCHLISTS_PER_ITEM = 1_000
"""Most watchlists that one item counts in, in alphabetical order."""

_AROUND_BYTES = 4 << 10  # what Kafka writes around a batch and a record: 61 and some 30 bytes, and two per header


def record_bytes(send: Send) -> int:
    """Bytes of the record before compression, without what a broker writes around it."""
    size = len(send.key or b"") + len(send.value or b"")
    return size + sum(len(name) + len(value) for name, value in send.headers) if send.headers else size


def needed_bytes(largest: int) -> int:
    """The smallest `max.message.bytes` of a topic that gets records of up to `largest` bytes."""
    return largest + _AROUND_BYTES


def check_records(sends: Iterable[Send]) -> None:
    """Raises TooLarge at the first record above `RECORD_BYTES`; to be called before any of them is sent."""
    for send in sends:
        if (size := record_bytes(send)) > RECORD_BYTES:
            raise TooLarge(f"a record of {size:,} bytes for topic {send.topic}; the limit is {RECORD_BYTES:,}")


def check_rows(sends: Iterable[Send]) -> None:
    """Raises TransportError at the first row above `ROW_BYTES`; to be called before any of them is sent."""
    for send in sends:
        if (size := record_bytes(send)) > ROW_BYTES:
            key = (send.key or b"").decode(errors="replace")
            raise TransportError(f"row {key} of {send.topic} has {size:,} bytes; the limit is {ROW_BYTES:,}")
