"""Reading one record of the topic `mentions`: checked like a foreign one, for anybody may write to a topic.

What a record cannot hold is a `Reject` with the record's offset, so that it is parked and its neighbours are counted.
"""

from __future__ import annotations

import msgspec

from streams.engine.runs import Record
from streams.errors import OlderVersion, Reject, check_version
from streams.records import VERSION, MentionBatch
from streams.serving.prepared import Prepared
from streams.topics import promotion_number

__all__ = ["read_mentions", "take_baselines"]

_decoder = msgspec.json.Decoder(MentionBatch)


def read_mentions(record: Record) -> tuple[MentionBatch, int]:
    """The batch, and the number of the promotion that its header names (0 without one).

    Raises `Reject`; `NewerVersion` for a format to come, `OlderVersion` for one that is read no more.
    """
    try:
        batch = _decoder.decode(record.value or b"")
        promotion = promotion_number(record.headers)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Reject("bad_mentions", f"no mentions record: {error}", record.offset) from error
    check_version(f"the mentions record at offset {record.offset}", batch.schema, VERSION)
    if batch.partition >= batch.partitions:
        detail = f"source partition {batch.partition} of a topic with {batch.partitions}"
        raise Reject("bad_mentions", detail, record.offset)
    return batch, promotion


def take_baselines(prepared: Prepared, record: Record) -> None:
    """Keeps the baselines of a record; raises `Reject`, or `NewerVersion` for those of a version to come."""
    try:
        prepared.take(record.value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, OlderVersion) as error:
        raise Reject("bad_baselines", f"no baselines: {error}", record.offset) from error
