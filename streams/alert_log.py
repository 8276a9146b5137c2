"""The records of the topic `alerts` beside the events: each is a header's value, in JSON.

    watch      events ── TICK_HEADER ──┐      an event is decided once its tick is sealed by every partition of mentions
               seals ─── SEAL_HEADER ──┼─► partition 0 of `alerts`, one log ─► the judge in `deliver`
    deliver    clock ─── CLOCK_HEADER ─┤      what needs the wall clock is a record too, so that a redo decides alike
    control    decisions DECISION_HEADER ┘    forwarded by a worker of `deliver`, in their order

All that decides is in one partition, whatever others the topic may have: its order is the order of decisions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from alerts.judge import Decision, decision_from_json
from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.errors import NewerVersion
from streams.logs import get_logger
from streams.topics import CLOCK_HEADER, DECISION_HEADER, SEAL_HEADER, TICK_HEADER

__all__ = [
    "ALERTS_PARTITION",
    "ALERT_LOG_VERSION",
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

_LONGEST_PARTITION = 7  # digits

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
    """The record of `control` that says what a person decided."""
    return Send(topic, f"{DECISION_KEY}{decision.id}".encode(), _encoder.encode(decision), partition=0)


def decision_in(record: Record) -> msgspec.Raw | None:
    """The decision that a record of `control` holds; None for other records, and for one that says nothing."""
    if not (record.key or b"").startswith(DECISION_KEY.encode()) or record.value is None:
        return None
    try:
        decision_from_json(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        log.warning("Unreadable decision passed over", topic="control", offset=record.offset, error=error)
        return None
    return msgspec.Raw(record.value)


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
