"""Reading the topic `rejects` and sending its records again.

The topic is compacted and keyed by where a record stood; what was retried is deleted by a tombstone. A retry
counts once: the item's id is the same at every attempt, so a second one finds it archived.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from streams.engine.ports import Send
from streams.errors import NewerVersion, Reject
from streams.feeds.fieldmap import FieldMap, dated_ms, news_from_record, parse_json
from streams.feeds.rejects import RejectRecord
from streams.records import VERSION, News
from streams.text.signature import partition_key
from streams.topics import Topics
from streams.transport.broker import Broker

__all__ = ["Retried", "read_again", "read_rejects", "retry_rejects"]

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


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of parked records: `sent` again, `cut` (longer than what is kept of a record), or still `refused`,
    by reason."""

    sent: int
    cut: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        return self.cut + sum(self.refused.values())


def retry_rejects(
    broker: Broker, topics: Topics, rejects: Iterable[RejectRecord], field_map: FieldMap, *, now_ms: int
) -> Retried:
    """Send the records that can be read now to `news` again and take them off the list; the others stay on it.

    They go as items that carry the time at which they were first seen: a record's own timestamp may be the broker's.
    """
    items: list[tuple[News, RejectRecord]] = []
    refused: Counter[str] = Counter()
    cut = 0
    for reject in rejects:
        if len(reject.raw_bytes()) < reject.size:
            cut += 1
            continue
        try:
            items.append((read_again(reject, field_map, now_ms), reject))
        except Reject as still:
            refused[still.reason] += 1
    items.sort(key=lambda pair: pair[0].seen_ms)  # windows take what comes too late in no count
    sends = [send for item, reject in items for send in _sends(topics, item, reject)]
    if sends:
        broker.append(sends)
    return Retried(len(items), cut, dict(refused))


def read_again(reject: RejectRecord, field_map: FieldMap, now_ms: int) -> News:
    """The item in a parked record, with the time at which it was first seen; raises `Reject` when there is none."""
    kind, raw = reject.position.partition(":")[0], reject.raw_bytes()
    if kind == "feed":
        field_map = FieldMap.default().with_source(reject.source)
    elif kind == "file":
        field_map = field_map.with_source(reject.source.split(".", 1)[0] or reject.source)
    seen_ms = reject.seen_ms
    if seen_ms is None:
        seen_ms = reject.at_ms if kind != "file" else dated_ms(parse_json(raw), field_map)
    return news_from_record(raw, seen_ms, field_map, now_ms)


def _sends(topics: Topics, item: News, reject: RejectRecord) -> tuple[Send, Send]:
    again = Send(topics.news, partition_key(item.title), msgspec.json.encode(item), timestamp_ms=item.seen_ms)
    return again, Send(topics.rejects, reject.position.encode("utf-8", "replace"), None)
