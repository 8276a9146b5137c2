"""Reading the topic `rejects` and sending its records again.

The topic is compacted and keyed by where a record stood; what was retried is deleted by a tombstone. A retry
counts once: the item's id is the same at every attempt, so a second one finds it archived.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from streams.engine.ports import Send
from streams.errors import NewerVersion
from streams.feeds.rejects import RejectRecord
from streams.records import VERSION
from streams.topics import Topics
from streams.transport.broker import Broker

__all__ = ["read_rejects", "retry_rejects"]

_decoder = msgspec.json.Decoder(RejectRecord)


def read_rejects(broker: Broker, topics: Topics) -> list[RejectRecord]:
    """What is parked now, oldest first: the last record of each position, without those that were retried."""
    parked: dict[bytes, RejectRecord] = {}
    for record in broker.scan(topics.rejects):
        key = record.key or b""
        if record.value is None:
            parked.pop(key, None)
        else:
            parked[key] = reject = _decoder.decode(record.value)
            if reject.version > VERSION:
                raise NewerVersion(f"the parked record {reject.position}", reject.version, VERSION)
    return list(parked.values())


def retry_rejects(broker: Broker, topics: Topics, rejects: Iterable[RejectRecord]) -> int:
    """Send the raw records to `news` again and take them off the list; the number sent.

    A record whose raw bytes were cut cannot be sent again and stays.
    """
    sends: list[Send] = []
    count = 0
    for reject in rejects:
        raw = reject.raw_bytes()
        if len(raw) < reject.size:
            continue
        sends.append(Send(topics.news, reject.position.encode(), raw, timestamp_ms=reject.at_ms))
        sends.append(Send(topics.rejects, reject.position.encode(), None))
        count += 1
    if sends:
        broker.append(sends)
    return count
