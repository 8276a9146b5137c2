"""What is followed, and what a stream says of its records: items of `scored`, and what the judge shows.

topic scored           ─► item      as the API shows it
changelog of deliver   ─► alert     an alert as the judge has it now: state, who looks after it, its version
                          silence, subscription, watchlist
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

import msgspec

from alerts.judge import ViewKind
from alerts.judge.rows import AlertRow
from streams.board.live.hub import Happening
from streams.board.live.judge import JudgeFollower
from streams.engine.runs import Record
from streams.errors import MoodwireError
from streams.jobs.resend import changelog_of
from streams.logs import get_logger
from streams.records import Scored
from streams.stages.deliver_rows import ViewRow
from streams.topics import Topics
from streams.transport.broker import Broker
from streams.transport.tail import Grown, TailFrom

__all__ = ["Items", "JudgedAlerts", "Source"]

log = get_logger(__name__)

_BACK: Final = 500
"""Records of each topic that a board begins with: who reconnects after its restart misses none of them."""

_ITEMS_A_LOOK: Final = 25
"""With four looks a second 100 items a second: a person reads one, and 200 streams of them take 15 MB/s."""

_scored = msgspec.json.Decoder(Scored)
_encode = msgspec.json.encode

_NAMES: Final[Mapping[str, str]] = {ViewKind.MAINTENANCE: "silence"}


class Source(Protocol):
    """A topic and its events. Called by the thread that follows."""

    name: str
    topic: str

    def begin(self, broker: Broker) -> TailFrom:
        """Where to begin when nothing was followed yet, or the topic was made again."""

    def going_on(self, at: Mapping[int, int]) -> TailFrom:
        """How to go on from offsets."""

    def happenings(self, grown: Grown) -> Iterator[Happening]:
        """Returns what the records say."""


class Items:
    """The newest scored items: of more than a reader can follow the others are counted (`skipped`)."""

    name = "items"

    def __init__(self, topics: Topics, encode: Callable[[Scored], bytes]) -> None:
        self.topic = topics.scored
        self._item = encode

    def begin(self, broker: Broker) -> TailFrom:  # noqa: ARG002  # a protocol's
        return TailFrom(self.topic, back=_BACK, most=_ITEMS_A_LOOK)

    def going_on(self, at: Mapping[int, int]) -> TailFrom:
        return TailFrom(self.topic, most=_ITEMS_A_LOOK, at=at)

    def happenings(self, grown: Grown) -> Iterator[Happening]:
        if grown.passed:
            first = grown.records[0].offset if grown.records else grown.next_offset
            yield Happening(self.name, grown.partition, first, "skipped", _encode({"items": grown.passed}))
        for record in grown.records:
            data = self._data(record)
            if data is not None:
                yield Happening(self.name, grown.partition, record.offset + 1, "item", data)

    def _data(self, record: Record) -> bytes | None:
        """None for what anybody may have written there and is no item."""
        try:
            return self._item(_scored.decode(record.value or b""))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, MoodwireError) as error:
            log.debug("Unreadable item skipped", topic=self.topic, offset=record.offset, error=error)
            return None


class JudgedAlerts:
    """What the judge shows, as it changes; `judge` follows the same rows."""

    name = "alerts"

    def __init__(self, topics: Topics, judge: JudgeFollower) -> None:
        self.topic = changelog_of(topics)
        self._judge = judge

    def begin(self, broker: Broker) -> TailFrom:
        """Reads all rows; the last ones are read again for what they say."""
        self._judge.restart()
        at: dict[int, int] = {}
        for partition in range(broker.topic(self.topic).partitions):
            last = -1
            for record in broker.read(self.topic, partition):
                self._judge.take(partition, record)
                last = record.offset
            at[partition] = max(0, last + 1 - _BACK)
        return TailFrom(self.topic, at=at)

    def going_on(self, at: Mapping[int, int]) -> TailFrom:
        return TailFrom(self.topic, at=at)

    def happenings(self, grown: Grown) -> Iterator[Happening]:
        for record in grown.records:
            view = self._judge.take(grown.partition, record)
            if view is not None:
                name = _NAMES.get(view.kind, view.kind)
                yield Happening(self.name, grown.partition, record.offset + 1, name, _encode(_shown(view)))


def _shown(view: ViewRow) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": view.id, "version": view.seen, "gone": not view.body}
    if view.kind == ViewKind.ALERT and view.body:
        shown |= _alert(msgspec.json.decode(view.body, type=AlertRow))
    return shown


def _alert(row: AlertRow) -> dict[str, Any]:
    event, until_ms = row.event, row.acknowledged_until_ms
    return {
        "revision": event.revision,
        "signal": event.signal,
        "rule": event.rule,
        "series": event.series,
        "state": event.state,
        "change": event.change,
        "severity": event.severity,
        "onset_ms": event.onset_ms,
        "updated_ms": event.updated_ms,
        "observed": event.observed,
        "acknowledged": {"by": row.acknowledged_by, "until_ms": until_ms} if row.acknowledged_by else None,
        "assignee": row.assigned_to,
        "hidden_by": row.hidden_by,
    }
