"""What `deliver` writes down of a partition of `alerts`: rows that it goes on from after a crash or on another worker.

    "p"                           the own offset up to which events are planned, and how far the archive's copy is
    "e/ALERT.REVISION"             what it says, an event or a group, as long as a receiver may still get it
    "n/ALERT.REVISION/RECEIVER"    a notification: planned, attempted, settled (`alerts.delivery.Planned`)
    "j/…", "w…"                   the judge's rows, and their journal (`streams.stages.deliver_journal`)
    "d/OWN"                       what a person decided, and what was answered; until the archive has it, and a while
    "v/KIND/ID"                   what the judge shows of an alert, a silence …, until the archive has it

Of one write the row "p" comes last, so it speaks for the rows before it. An own offset is that of the record of the
topic `alerts`, counted on from incarnation to incarnation of it.
"""

from __future__ import annotations

import msgspec

from alerts import AlertEvent
from alerts.delivery import Planned
from alerts.delivery.group import AlertGroup
from alerts.judge import Answer
from streams.errors import check_version

__all__ = [
    "DECISION_PREFIX",
    "EPOCH_SHIFT",
    "EVENT_PREFIX",
    "PARTITION_KEY",
    "PLAN_PREFIX",
    "VIEW_PREFIX",
    "DecisionRow",
    "PartitionRow",
    "ViewRow",
    "decision_key",
    "decoded_body",
    "decoded_decision",
    "decoded_plan",
    "decoded_view",
    "encoded",
    "encoded_body",
    "encoded_plan",
    "event_key",
    "plan_key",
    "view_key",
]

PARTITION_KEY = "p"
EVENT_PREFIX = "e/"
PLAN_PREFIX = "n/"
DECISION_PREFIX = "d/"
VIEW_PREFIX = "v/"

ROW_VERSION = 2

#: Own offsets count on from incarnation to incarnation of the own topic: its number takes the upper bits.
EPOCH_SHIFT = 44


class PartitionRow(msgspec.Struct, frozen=True):
    """What a partition of `alerts` remembers as a whole.

    `epochs` are the incarnations of the topic in the order first seen; `copied` is the revision up to which the
    archive has a copy of every notification.
    """

    own_offset: int = -1
    epochs: tuple[str, ...] = ()
    copied: int = 0
    version: int = ROW_VERSION

    @staticmethod
    def restored(row: bytes | None) -> PartitionRow:
        """From the row of key `PARTITION_KEY`, None where there is none yet.

        Raises `NewerVersion`, `OlderVersion` or `msgspec.DecodeError`.
        """
        found = _partitions.decode(row) if row else PartitionRow()
        check_version("the state of a partition of alerts", found.version, ROW_VERSION)
        return found

    def base(self, epoch: str) -> int:
        """What is added to an offset of this incarnation to get an own offset; it is in `epochs`."""
        return self.epochs.index(epoch) << EPOCH_SHIFT

    def encoded(self) -> bytes:
        return _encoder.encode(self)


class _PlanRow(msgspec.Struct, frozen=True):
    plan: Planned
    version: int = ROW_VERSION


class _Body(msgspec.Struct, frozen=True):
    event: AlertEvent | None = None
    group: AlertGroup | None = None
    version: int = ROW_VERSION


class DecisionRow(msgspec.Struct, frozen=True):
    """What a person decided, as JSON, with its answer; `place` is its own offset, `at_ms` when it was forwarded."""

    decision: bytes
    answer: Answer
    place: int
    at_ms: int
    version: int = ROW_VERSION


class ViewRow(msgspec.Struct, frozen=True):
    """A view (`alerts.judge.View`) at the own offset `place`; `body` is its JSON, empty once it is gone."""

    kind: str
    id: str
    seen: int
    place: int
    body: bytes
    version: int = ROW_VERSION


_bodies = msgspec.msgpack.Decoder(_Body)
_decisions = msgspec.msgpack.Decoder(DecisionRow)
_views = msgspec.msgpack.Decoder(ViewRow)
_partitions = msgspec.msgpack.Decoder(PartitionRow)
_plans = msgspec.msgpack.Decoder(_PlanRow)
_encoder = msgspec.msgpack.Encoder()


def event_key(notification: str) -> str:
    return f"{EVENT_PREFIX}{notification}"


def plan_key(plan: Planned) -> str:
    return f"{PLAN_PREFIX}{plan.notification}/{plan.receiver}"


def encoded_plan(plan: Planned) -> bytes:
    return _encoder.encode(_PlanRow(plan))


def decoded_plan(row: bytes) -> Planned:
    """Raises `NewerVersion`, `OlderVersion` or `msgspec.DecodeError`."""
    found = _plans.decode(row)
    check_version("a planned notification", found.version, ROW_VERSION)
    return found.plan


def encoded_body(message: AlertEvent | AlertGroup) -> bytes:
    """What a notification says, as the row of key `event_key` holds it."""
    kept = _Body(group=message) if isinstance(message, AlertGroup) else _Body(event=message)
    return _encoder.encode(kept)


def decoded_body(row: bytes) -> AlertEvent | AlertGroup:
    """Raises `NewerVersion`, `OlderVersion` or `msgspec.DecodeError`."""
    found = _bodies.decode(row)
    check_version("what a notification says", found.version, ROW_VERSION)
    message = found.group or found.event
    if message is None:
        raise msgspec.DecodeError("a notification that says nothing")
    return message


def decision_key(own_offset: int) -> str:
    return f"{DECISION_PREFIX}{own_offset}"


def view_key(kind: str, name: str) -> str:
    return f"{VIEW_PREFIX}{kind}/{name}"


def encoded(row: DecisionRow | ViewRow) -> bytes:
    return _encoder.encode(row)


def decoded_decision(row: bytes) -> DecisionRow:
    """Raises `NewerVersion`, `OlderVersion` or `msgspec.DecodeError`."""
    found = _decisions.decode(row)
    check_version("a decision and its answer", found.version, ROW_VERSION)
    return found


def decoded_view(row: bytes) -> ViewRow:
    """Raises `NewerVersion`, `OlderVersion` or `msgspec.DecodeError`."""
    found = _views.decode(row)
    check_version("what the judge shows", found.version, ROW_VERSION)
    return found
