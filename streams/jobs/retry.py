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
from streams.engine.runs import Record
from streams.errors import NewerVersion, Reject
from streams.feeds.fieldmap import FieldMap, dated_ms, news_from_record, parse_json
from streams.feeds.rejects import RejectRecord, Unprocessed, reject_send
from streams.records import VERSION, News
from streams.text.signature import partition_key
from streams.topics import Topics
from streams.transport.broker import Broker

__all__ = ["MENTIONS_PASSED", "UNREADABLE", "Retried", "read_again", "read_rejects", "retry_rejects"]

UNREADABLE = "unreadable_reject"
"""The reason of what is in the topic `rejects` and is no parked record."""

MENTIONS_PASSED = "mentions_passed"
"""Why a record of mentions is not sent again: `moodwire archive rebuild-state` counts its items from the archive."""

_decoder = msgspec.json.Decoder(RejectRecord)


def read_rejects(broker: Broker, topics: Topics) -> list[RejectRecord]:
    """What is parked now, oldest first: the last record of each id, without those that were retried.

    What somebody else wrote into moodwire's own topic is shown with the reason `UNREADABLE`, and hides no other; in an
    existing one that others use as well it is passed over. Raises `NewerVersion`.
    """
    parked: dict[bytes, RejectRecord] = {}
    for record in broker.scan(topics.rejects):
        key = record.key or b""
        if record.value is None:
            parked.pop(key, None)
            continue
        try:
            parked[key] = reject = _decoded(record.value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            if not topics.foreign("rejects"):
                parked.setdefault(key, _foreign(record, str(error), topics.rejects))
            continue
        if reject.schema > VERSION:
            raise NewerVersion(f"the parked record {reject.id}", reject.schema, VERSION)
    return list(parked.values())


def _decoded(value: bytes) -> RejectRecord:
    """Raises `msgspec.MsgspecError`, or ValueError when what it keeps of the record is no base64."""
    reject = _decoder.decode(value)
    reject.raw_bytes(), reject.key_bytes(), reject.sent_headers()
    return reject


def _foreign(record: Record, problem: str, topic: str) -> RejectRecord:
    """A record of the topic `rejects` that parks nothing, as one that does."""
    name = (record.key or b"").decode("utf-8", "replace") or f"rejects:{record.offset}"
    found = Unprocessed(name, source=topic, raw=record.value or b"")
    reject = Reject(UNREADABLE, f"no parked record: {problem}")
    send = reject_send(topic, found, reject, at_ms=max(record.timestamp_ms, 0))
    return _decoder.decode(send.value or b"")


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
    """Send the records that can be read now again and take them off the list; the others stay on it.

    News go to `news` as items that carry the time at which they were first seen: a record's own timestamp may be the
    broker's. Alerts go to `alerts` as they were: each notification has an id. Mentions stay: their positions have been
    passed, so `watch` would take them for a redo.
    """
    items: list[tuple[News, RejectRecord]] = []
    alerts: list[RejectRecord] = []
    refused: Counter[str] = Counter()
    cut = 0
    for reject in rejects:
        if len(reject.raw_bytes()) < reject.size:
            cut += 1
        elif reject.reason == UNREADABLE or reject.kind == "mentions":
            refused[UNREADABLE if reject.reason == UNREADABLE else MENTIONS_PASSED] += 1
        elif reject.kind == "alerts":
            alerts.append(reject)
        else:
            try:
                items.append((read_again(reject, field_map, now_ms), reject))
            except Reject as still:
                torn_row = reject.reason == "bad_csv" and still.reason == "bad_json"
                refused[reject.reason if torn_row else still.reason] += 1
    items.sort(key=lambda pair: pair[0].seen_ms)  # windows take what comes too late in no count
    sends = [send for item, reject in items for send in _sends(topics, item, reject)]
    sends += [send for reject in alerts if _is_alert(reject, refused) for send in _alert_sends(topics, reject)]
    if sends:
        broker.append(sends)
    return Retried(len(sends) // 2, cut, dict(refused))


def _is_alert(reject: RejectRecord, refused: Counter[str]) -> bool:
    """Whether the record can be read now; what cannot is counted in `refused`."""
    try:
        from alerts.records import AlertEvent  # with it comes scipy, which listing needs not

        AlertEvent.from_json(reject.raw_bytes())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        refused["bad_alert"] += 1
        return False
    return True


def _alert_sends(topics: Topics, reject: RejectRecord) -> tuple[Send, Send]:
    again = Send(topics.alerts, reject.key_bytes(), reject.raw_bytes(), headers=reject.sent_headers())
    return again, Send(topics.rejects, reject.id.encode("utf-8", "replace"), None)


def read_again(reject: RejectRecord, field_map: FieldMap, now_ms: int) -> News:
    """The item in a parked record, with the time at which it was first seen; raises `Reject` when there is none."""
    kind, raw = reject.id.partition(":")[0], reject.raw_bytes()
    if kind == "feed":
        field_map = FieldMap.default().with_source(reject.source)
    elif kind == "file":
        field_map = field_map.with_source(reject.source.split(".", 1)[0] or reject.source)
    seen_ms = reject.seen_ms
    if seen_ms is None:
        seen_ms = reject.at_ms if kind != "file" else dated_ms(parse_json(raw), field_map)
    return news_from_record(raw, seen_ms, field_map, now_ms)


def _sends(topics: Topics, item: News, reject: RejectRecord) -> tuple[Send, Send]:
    key = reject.key_bytes() or partition_key(item.title)
    value = msgspec.json.encode(item)
    again = Send(topics.news, key, value, headers=reject.sent_headers(), timestamp_ms=item.seen_ms)
    return again, Send(topics.rejects, reject.id.encode("utf-8", "replace"), None)
