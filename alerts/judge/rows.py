"""What the judge goes on from after a restart: rows of MessagePack, each under a key of its own.

"j/meta"           how far the log is judged, the time of ticks, which partitions sealed which tick
"j/h/ID.REVISION"  an event that waits for its tick
"j/a/ID"           an alert: its last event, who looks after it
"j/g/ID"           a group: its alerts, what its receivers know of them, when it is due
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from alerts.records import AlertEvent
from alerts.rows import decoded

__all__ = [
    "ALERT_PREFIX",
    "GROUP_PREFIX",
    "HELD_PREFIX",
    "META_KEY",
    "ROW_VERSION",
    "AlertRow",
    "Comment",
    "GroupRow",
    "HeldRow",
    "Member",
    "MetaRow",
    "encoded",
    "row_of",
]

ROW_VERSION: Final = 1
META_KEY: Final = "j/meta"
HELD_PREFIX: Final = "j/h/"
ALERT_PREFIX: Final = "j/a/"
GROUP_PREFIX: Final = "j/g/"


class MetaRow(msgspec.Struct, kw_only=True):
    """`sealed` is the last tick of each partition of mentions, `away` those that are not waited for."""

    position: int = -1
    now_ms: int = 0
    of: int = 0
    sealed: dict[int, int] = {}
    away: list[int] = []
    version: int = ROW_VERSION


class HeldRow(msgspec.Struct, frozen=True):
    event: AlertEvent
    partition: int
    tick_ms: int
    version: int = ROW_VERSION


class Comment(msgspec.Struct, frozen=True):
    """What somebody wrote down about an alert."""

    by: str
    at_ms: int
    text: str


class AlertRow(msgspec.Struct, kw_only=True):
    """An alert as the judge knows it, and as people see it.

    `seen_version` rises with what a decision must know of: a change of state, another decision. It is acknowledged
    while `acknowledged_by` is not empty.
    """

    event: AlertEvent
    labels: dict[str, str]
    changed_ms: int
    seen_version: int = 1
    acknowledged_by: str = ""
    acknowledged_until_ms: int = 0
    assigned_to: str = ""
    notes: list[Comment] = []
    groups: list[str] = []
    hidden_by: str = ""
    version: int = ROW_VERSION

    @property
    def fires(self) -> bool:
        return self.event.state not in ("resolved", "noted")

    @property
    def noted(self) -> bool:
        """Whether it is information, complete in itself: it is sent once and never ends."""
        return self.event.state == "noted"


class Member(msgspec.Struct):
    """What a group's receivers know of an alert: `told` is empty or the state that they know, `rank` its severity's."""

    told: str = ""
    rank: int = -1


class GroupRow(msgspec.Struct, kw_only=True):
    """A group from its first alert to the message about its end. Times are in ms, 0 where there is none.

    `news_ms`, `repeat_ms` and `escalate_ms` are when it is due for which reason. `steps` of the route's escalations
    were taken, since nobody had acknowledged it from `open_since_ms` on.
    """

    id: str
    route: str
    labels: dict[str, str]
    opened_ms: int
    members: dict[str, Member] = {}
    revision: int = 0
    sent_ms: int = 0
    rank: int = -1
    news_ms: int = 0
    repeat_ms: int = 0
    escalate_ms: int = 0
    open_since_ms: int = 0
    steps: int = 0
    version: int = ROW_VERSION

    @property
    def due_ms(self) -> int:
        """When something is due first; 0: nothing."""
        return min((ms for ms in (self.news_ms, self.repeat_ms, self.escalate_ms) if ms), default=0)


R = TypeVar("R", MetaRow, HeldRow, AlertRow, GroupRow)


def encoded(row: msgspec.Struct) -> bytes:
    return _encoder.encode(row)


def row_of(data: bytes, kind: type[R]) -> R:
    """Returns the row. Raises `StateError` where it is damaged or of another version."""
    return decoded(data, kind, ROW_VERSION, "the judge")


_encoder = msgspec.msgpack.Encoder()
