"""What `deliver` writes down of a partition of `alerts`: rows that it goes on from after a crash or on another worker.

    "p"                           the own offset up to which events are planned, and how far the archive's copy is
    "e/ALERT.REVISION"             an event as it came, as long as a receiver may still get it
    "n/ALERT.REVISION/RECEIVER"    a notification: planned, attempted, settled (`alerts.delivery.Planned`)

Of one write the row "p" comes last, so it speaks for the rows before it. An own offset is that of the record of the
topic `alerts`, counted on from incarnation to incarnation of it.
"""

from __future__ import annotations

import msgspec

from alerts.delivery import Planned
from streams.errors import NewerVersion

__all__ = [
    "EPOCH_SHIFT",
    "EVENT_PREFIX",
    "PARTITION_KEY",
    "PLAN_PREFIX",
    "PartitionRow",
    "decoded_plan",
    "encoded_plan",
    "event_key",
    "plan_key",
]

PARTITION_KEY = "p"
EVENT_PREFIX = "e/"
PLAN_PREFIX = "n/"

ROW_VERSION = 1

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

        Raises `NewerVersion` or `msgspec.DecodeError`.
        """
        found = _partitions.decode(row) if row else PartitionRow()
        if found.version > ROW_VERSION:
            raise NewerVersion("the state of a partition of alerts", found.version, ROW_VERSION)
        return found

    def base(self, epoch: str) -> int:
        """What is added to an offset of this incarnation to get an own offset; it is in `epochs`."""
        return self.epochs.index(epoch) << EPOCH_SHIFT

    def encoded(self) -> bytes:
        return _encoder.encode(self)


class _PlanRow(msgspec.Struct, frozen=True):
    plan: Planned
    version: int = ROW_VERSION


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
    """Raises `NewerVersion` or `msgspec.DecodeError`."""
    found = _plans.decode(row)
    if found.version > ROW_VERSION:
        raise NewerVersion("a planned notification", found.version, ROW_VERSION)
    return found.plan
