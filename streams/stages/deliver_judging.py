"""The judge of one partition of `alerts`: records in, what follows from them out. No effects.

    record ─► already judged? ─► entry ─► Judge.apply ─► Caused: messages, answers, the judge's rows
                 └─ RESEND_HEADER ─► Caused: a request

The judge is in memory and goes on with every record, so `Caused` is to be written down before it is asked for its rows
again; when that fails, `forget` has it made anew from what was written down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from alerts import AlertEvent
from alerts.judge import (
    Answer,
    Clock,
    Decided,
    Effects,
    Entry,
    Event,
    Plan,
    Seal,
    View,
    ViewKind,
    decision_from_json,
)
from alerts.judge.rows import WatchlistRow
from alerts.records import RECORD_VERSION
from streams.alert_log import Forwarded, clock_of, forwarded_of, mentions_partition, seal_of
from streams.engine.runs import Record
from streams.errors import NewerVersion, Reject, check_version
from streams.records import VERSION
from streams.serving.control import Watched, change_at
from streams.stages.deliver_journal import JUDGE_PREFIX, JudgeRows, restored
from streams.stages.deliver_rows import DecisionRow, ViewRow, decision_key, encoded, view_key
from streams.topics import RESEND_HEADER

__all__ = ["Caused", "Judging", "MakeJudge", "OneJudge", "Resend", "copied_rows", "watched_in"]


_CONTROL_KEY = f"{JUDGE_PREFIX}control"
"""One of the judge's rows that is none of its own: what of `control` it has judged is written down with what it did."""


class _Control(msgspec.Struct, frozen=True):
    epoch: str = ""
    offset: int = -1


_controls = msgspec.msgpack.Decoder(_Control)


class Judging(Protocol):
    """What the stage needs of `alerts.judge.Judge`."""

    @property
    def now_ms(self) -> int: ...

    @property
    def lagging(self) -> tuple[int, ...]: ...

    @property
    def away(self) -> tuple[int, ...]: ...

    @property
    def next_timer_ms(self) -> int | None: ...

    def apply(self, entry: Entry, position: int) -> Effects: ...

    def take_rows(self) -> dict[str, bytes | None]: ...


MakeJudge = Callable[[Mapping[str, bytes]], Judging]
"""Makes a judge from the rows that an earlier one gave."""


class Resend(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants a notification sent again; the value of the header `RESEND_HEADER`, in JSON.

    The record's value is the event where the rows may lack it, else nothing.
    """

    request: str
    receiver: str
    notification: str
    by: str = ""
    schema: int = VERSION


@dataclass(slots=True)
class Caused:
    """What follows from the record of this own offset; `changed` are the judge's rows.

    `answered` is a decision with its answer, and `at_ms` when it was forwarded.
    """

    own_offset: int
    plans: list[Plan] = field(default_factory=list)
    changed: dict[str, bytes | None] = field(default_factory=dict)
    resend: Resend | None = None
    body: AlertEvent | None = None
    answered: tuple[bytes, Answer] | None = None
    at_ms: int = 0
    views: list[View] = field(default_factory=list)

    @property
    def notifications(self) -> set[str]:
        """The names of the notifications that it is about."""
        if self.resend is not None:
            return {self.resend.notification}
        return {f"{plan.group.id}.{plan.group.revision}" for plan in self.plans}


class OneJudge:
    """The judge of a partition, while `is_there`."""

    def __init__(self, make: MakeJudge, number: int) -> None:
        self._make = make
        self._number = number
        self._judge: Judging | None = None
        self._control = _Control()

    @property
    def now_ms(self) -> int:
        """The time of ticks."""
        return self._there.now_ms

    @property
    def lagging(self) -> tuple[int, ...]:
        """The partitions of mentions that a tick waits for while others have sealed it."""
        return self._there.lagging

    @property
    def away(self) -> tuple[int, ...]:
        """The partitions of mentions that no tick waits for until they seal again."""
        return self._there.away

    @property
    def next_timer_ms(self) -> int | None:
        """When it has something to do without a record, in the time of ticks."""
        return self._there.next_timer_ms

    @property
    def _there(self) -> Judging:
        assert self._judge is not None
        return self._judge

    @property
    def control(self) -> tuple[str, int]:
        """The last decision that was judged: the incarnation of the topic `control`, and the offset there."""
        return self._control.epoch, self._control.offset

    def restore(self, rows: Mapping[str, bytes], own_offset: int) -> JudgeRows:
        """Makes the judge from the partition's rows; returns its rows, and how far they are."""
        found = restored(rows, own_offset)
        own = dict(found.rows)
        self._control = _controls.decode(own.pop(_CONTROL_KEY)) if _CONTROL_KEY in own else _Control()
        self._judge = self._make(own)
        return found

    @property
    def is_there(self) -> bool:
        """Whether it goes on where the rows are."""
        return self._judge is not None

    def forget(self) -> None:
        """What it decided was not written down."""
        self._judge = None

    def caused(self, record: Record, own_offset: int) -> Caused:
        """What follows from the record, which is behind all that was judged.

        Raises `NewerVersion`, `OlderVersion`, or `Reject` for a record that is no alert: anybody may write to a topic.
        Then the judge is as before.
        """
        try:
            return self._caused(record, own_offset)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise Reject("bad_alert", f"no alert: {error}", record.offset) from error

    def _caused(self, record: Record, own: int) -> Caused:
        asked = _resend_of(record)
        if asked is not None:
            return Caused(own, resend=asked, body=self._event(record.value) if record.value is not None else None)
        forwarded = forwarded_of(record.headers)
        if forwarded is not None:
            return self._decide(forwarded, own, record.timestamp_ms)
        entry = self._entry(record)
        return Caused(own) if entry is None else self._apply(entry, own)

    def _decide(self, forwarded: Forwarded, own: int, at_ms: int) -> Caused:
        """A decision once: another worker may have forwarded it too."""
        epoch, offset = self.control
        if forwarded.epoch == epoch and forwarded.offset <= offset:
            return Caused(own)
        decision = decision_from_json(bytes(forwarded.decision))
        caused = self._apply(Decided(decision), own)
        self._control = _Control(forwarded.epoch, forwarded.offset)
        caused.changed[_CONTROL_KEY] = msgspec.msgpack.encode(self._control)
        caused.at_ms = at_ms
        return caused

    def _entry(self, record: Record) -> Entry | None:
        """What the record says to the judge; None for one that says nothing."""
        seal, clock = seal_of(record.headers), clock_of(record.headers)
        if seal is not None:
            return Seal(seal.partition, seal.partitions, seal.tick_ms)
        if clock is not None:
            return Clock(clock.at_ms, clock.without)
        if record.value is None:
            return None
        event, partition = self._event(record.value), mentions_partition(record.headers)
        if partition is None:
            return Event(event, 0, 0)  # nobody seals it: its time is what its writer says, and decides nothing
        return Event(event, partition, event.updated_ms)

    def _event(self, value: bytes) -> AlertEvent:
        event = AlertEvent.from_json(value)
        check_version(f"an alert in alerts[{self._number}]", event.schema, RECORD_VERSION)
        return event

    def _apply(self, entry: Entry, own: int) -> Caused:
        judge = self._there
        effects = judge.apply(entry, own)
        answered = None
        if isinstance(entry, Decided) and effects.answers:
            answered = msgspec.json.encode(entry.decision), effects.answers[0]
        return Caused(own, effects.plans, judge.take_rows(), answered=answered, views=effects.views)


def copied_rows(caused: Caused) -> dict[str, bytes | None]:
    """What the archive gets a copy of: the decision with its answer, and what the judge shows."""
    rows: dict[str, bytes | None] = {}
    if caused.answered is not None:
        decision, answer = caused.answered
        row = DecisionRow(decision, answer, caused.own_offset, caused.at_ms)
        rows[decision_key(caused.own_offset)] = encoded(row)
    for view in caused.views:
        body = b"" if view.body is None else msgspec.json.encode(view.body)
        shown = ViewRow(view.kind.value, view.id, view.version, caused.own_offset, body)
        rows[view_key(shown.kind, shown.id)] = encoded(shown)
    return rows


def watched_in(caused: Caused) -> list[Watched]:
    """What the workers of `score` are to know: the watchlists that were changed, each at its place in the log."""
    found: list[Watched] = []
    for view in caused.views:
        if view.kind is ViewKind.WATCHLIST:
            row = view.body if isinstance(view.body, WatchlistRow) else None
            body, by, at_ms = (row.body, row.by, row.at_ms) if row else (None, "", 0)
            change = change_at(caused.own_offset)
            found.append(Watched(name=view.id, body=body, change=change, by=by, at_ms=at_ms))
    return found


def _resend_of(record: Record) -> Resend | None:
    found = next((value for name, value in record.headers if name == RESEND_HEADER), None)
    if found is None:
        return None
    asked = _resends.decode(found)
    if asked.schema > VERSION:
        raise NewerVersion("a request to send a notification again", asked.schema, VERSION)
    return asked


_resends = msgspec.json.Decoder(Resend)
