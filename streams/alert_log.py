"""The records of the topic `alerts` beside the events: each is a header's value, in JSON.

    watch      events ── TICK_HEADER ──┐      an event is decided once its tick is sealed by every partition of mentions
               seals ─── SEAL_HEADER ──┼─► partition 0 of `alerts`, one log ─► the judge in `deliver`
    deliver    clock ─── CLOCK_HEADER ─┤      what needs the wall clock is a record too, so that a redo decides alike
    control    decisions DECISION_HEADER ┘    forwarded by a worker of `deliver`, in their order

All that decides is in one partition, whatever others the topic may have: its order is the order of decisions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from alerts.judge import Decision, Fault, Unreadable, decision_from_json, fault_of
from alerts.records import EARLIEST_MS, LATEST_MS
from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.errors import NewerVersion, WrongDecision
from streams.logs import get_logger
from streams.topics import CLOCK_HEADER, DECISION_HEADER, SEAL_HEADER, TICK_HEADER

__all__ = [
    "ALERTS_PARTITION",
    "ALERT_LOG_VERSION",
    "DECISION_KEY",
    "Clock",
    "Forwarded",
    "Seal",
    "clock_of",
    "clock_send",
    "decision_in",
    "decision_send",
    "forwarded_of",
    "forwarded_send",
    "mentions_partition",
    "seal_of",
    "seal_send",
    "tick_header",
]

ALERTS_PARTITION = 0
"""The partition of `alerts` that holds the log."""

DECISION_KEY = "decision/"
"""What the keys of decisions in `control` begin with; each has its own id behind it."""

ALERT_LOG_VERSION = 1

DECISION_BYTES = 512 << 10
"""Largest decision, in JSON: `alerts` gets it within another record, and the rows of `deliver` with its answer."""

_LONGEST_PARTITION = 7  # digits
_LONGEST_ID = 128
_LONGEST_LINE = 2_000
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_PLACE = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<field>.*)`)?", re.DOTALL)
_WORDS = (
    (re.compile(r"Expected `str` of length <= (\d+)"), "is too long; write at most {} characters"),
    (re.compile(r"Expected `array` of length <= (\d+)"), "has too many entries; write at most {}"),
    (re.compile(r"Expected `str` of length >= 1"), "is empty; write something"),
    (re.compile(rf"Expected `int` <= {LATEST_MS}"), "is after the year 9999; take an earlier time"),
    (re.compile(rf"Expected `int` >= {EARLIEST_MS}"), "is before the year 1; take a later time"),
    (re.compile(r"Expected `str` matching regex .*"), "is no time of the day; write HH:MM, such as 07:00"),
)
"""What msgspec says, and how a person reads it."""

log = get_logger(__name__)

Headers = Iterable[tuple[str, bytes]]
_Natural = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """A partition of mentions has sent all its events of ticks up to `tick_ms`; `partitions` is how many there are."""

    partition: _Natural
    partitions: Annotated[int, Meta(ge=1, le=1_000_000)]
    tick_ms: _Natural
    schema: int = ALERT_LOG_VERSION


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """A worker of `deliver` has waited long enough: the time is `at_ms`, whoever has not sealed it.

    `without` are the partitions of mentions that are not waited for until they seal again.
    """

    at_ms: _Natural
    without: tuple[_Natural, ...] = ()
    schema: int = ALERT_LOG_VERSION


class Forwarded(msgspec.Struct, frozen=True, kw_only=True):
    """A record of `control` with a decision: where it is there, and what it says (`alerts.judge.Decision`)."""

    epoch: str
    offset: _Natural
    decision: msgspec.Raw
    schema: int = ALERT_LOG_VERSION


T = TypeVar("T", Seal, Clock, Forwarded)

_encoder = msgspec.json.Encoder()
_seals = msgspec.json.Decoder(Seal)
_clocks = msgspec.json.Decoder(Clock)
_forwarded = msgspec.json.Decoder(Forwarded)
_any = msgspec.json.Decoder()


def tick_header(partition: int) -> tuple[str, bytes]:
    """The header of an event that a partition of mentions seals: it waits for its tick."""
    return TICK_HEADER, str(partition).encode()


def mentions_partition(headers: Headers) -> int | None:
    """The partition of mentions that seals the event; None for others' events. Raises ValueError for garbage."""
    value = next((value for name, value in headers if name == TICK_HEADER), None)
    if value is None:
        return None
    if not value.isdigit() or len(value) > _LONGEST_PARTITION:
        raise ValueError(f"the header {TICK_HEADER} is {value[:100]!r}, no number")
    return int(value)


def seal_send(topic: str, seal: Seal) -> Send:
    """The record of a seal."""
    return _send(topic, f"seal/{seal.partition}", SEAL_HEADER, seal)


def clock_send(topic: str, clock: Clock) -> Send:
    """The record of a clock."""
    return _send(topic, "clock", CLOCK_HEADER, clock)


def forwarded_send(topic: str, forwarded: Forwarded) -> Send:
    """The record of a decision."""
    return _send(topic, f"decision/{forwarded.offset}", DECISION_HEADER, forwarded)


def seal_of(headers: Headers) -> Seal | None:
    """The seal that a record is; None for another. Raises `msgspec.MsgspecError` or `NewerVersion`."""
    return _read(headers, SEAL_HEADER, _seals)


def clock_of(headers: Headers) -> Clock | None:
    """The clock that a record is; None for another. Raises as `seal_of`."""
    return _read(headers, CLOCK_HEADER, _clocks)


def decision_send(topic: str, decision: Decision) -> Send:
    """The record of `control` that says what a person decided.

    Raises `WrongDecision` for one that the judge cannot read, or that it would refuse whatever it knows.
    """
    try:
        data = _encoder.encode(decision)
    except UnicodeEncodeError:
        raise WrongDecision(_not_unicode(decision), "has characters that are no Unicode; write it in UTF-8") from None
    except RecursionError:
        raise WrongDecision("body", "is nested too deeply; write fewer levels") from None
    fault = _fault_in(data) or fault_of(decision)
    if fault is not None:
        raise WrongDecision(fault.field, fault.problem)
    return Send(topic, f"{DECISION_KEY}{decision.id}".encode(), data, partition=0)


def decision_in(record: Record) -> msgspec.Raw | None:
    """The decision that a record of `control` holds; None for other records, and for one that says nothing.

    One that the judge cannot read is what can be read of it (`Unreadable`): it is answered and in the trail.
    """
    if not (record.key or b"").startswith(DECISION_KEY.encode()) or record.value is None:
        return None
    fault = _fault_in(record.value)
    if fault is None:
        return msgspec.Raw(record.value)
    log.warning("Unreadable decision refused", topic="control", offset=record.offset, error=str(fault))
    found = _read_of(record, record.value, str(fault))
    return None if found is None else msgspec.Raw(_encoder.encode(found))


def _fault_in(data: bytes) -> Fault | None:
    """Why the judge cannot read these bytes as a decision; None where it can."""
    if len(data) > DECISION_BYTES:
        return Fault("", f"the decision has {len(data):,} bytes; the limit is {DECISION_BYTES:,}")
    try:
        decision_from_json(data)
    except _UNREADABLE as error:
        place = _PLACE.fullmatch(str(error))
        assert place is not None  # it takes any text
        return Fault(place["field"] or "", _in_words(place["problem"]))
    return None


def _in_words(problem: str) -> str:
    for pattern, words in _WORDS:
        found = pattern.fullmatch(problem)
        if found is not None:
            return words.format(*(f"{int(number):,}" for number in found.groups()))
    return problem


def _not_unicode(decision: Decision) -> str:
    """The field that cannot be written as UTF-8."""
    for name in decision.__struct_fields__:
        try:
            _encoder.encode(getattr(decision, name))
        except UnicodeEncodeError:
            return name
    return ""


def _read_of(record: Record, value: bytes, problem: str) -> Unreadable | None:
    """The record as far as it can be read; None where its key has no id that can be answered."""
    name = (record.key or b"").removeprefix(DECISION_KEY.encode()).decode(errors="replace")
    if not 1 <= len(name) <= _LONGEST_ID:
        return None
    said = _fields(value)
    at_ms = said.get("at_ms")
    target = next((text for key in ("target", "silence", "name") if (text := _text(said, key))), "")
    return Unreadable(
        id=name,
        by=_text(said, "by")[:_LONGEST_LINE] or "unknown",
        at_ms=at_ms if isinstance(at_ms, int) and EARLIEST_MS <= at_ms <= LATEST_MS else max(record.timestamp_ms, 0),
        problem=f"it cannot be read: {problem}"[:_LONGEST_LINE],
        wanted=_text(said, "kind")[:_LONGEST_LINE],
        target=target[:_LONGEST_ID],
    )


def _fields(value: bytes) -> dict[str, Any]:
    try:
        found = _any.decode(value)
    except _UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}


def _text(said: dict[str, Any], key: str) -> str:
    value = said.get(key)
    return value if isinstance(value, str) else ""


def forwarded_of(headers: Headers) -> Forwarded | None:
    """The decision that a record is; None for another. Raises as `seal_of`."""
    return _read(headers, DECISION_HEADER, _forwarded)


def _send(topic: str, key: str, header: str, record: Seal | Clock | Forwarded) -> Send:
    return Send(topic, key.encode(), None, ALERTS_PARTITION, ((header, _encoder.encode(record)),))


def _read(headers: Headers, header: str, decoder: msgspec.json.Decoder[T]) -> T | None:
    value = next((value for name, value in headers if name == header), None)
    if value is None:
        return None
    found = decoder.decode(value)
    if found.schema > ALERT_LOG_VERSION:
        raise NewerVersion(f"a record with the header {header}", found.schema, ALERT_LOG_VERSION)
    return found
