"""A message about several alerts that belong together: what a receiver gets at one flush of a group.

    judge ─► AlertGroup {id, revision, receiver, labels, alerts, change, …} ─► Notification ─► Channel

The `id` hashes the route, the group's labels and the time it was opened, so a redo names it alike. `revision` rises
by one with every message of the group.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from alerts.records import AlertEvent

__all__ = ["GROUP_VERSION", "AlertGroup", "GroupChange", "group_id", "severity_rank", "worst_first"]

GROUP_VERSION: Final = 1
_RANKS: Final = {"info": 0, "information": 0, "warning": 1, "critical": 2}


class GroupChange(StrEnum):
    """What a message of a group is about."""

    OPENED = "opened"
    UPDATED = "updated"
    """Alerts joined or ended, or one became worse."""
    REPEATED = "repeated"
    """Nothing changed, and alerts still fire: a reminder."""
    RESOLVED = "resolved"
    """The last alert ended, or left for another group (the reason `moved`)."""
    ESCALATED = "escalated"
    """Nobody acknowledged the alerts in time: the next receiver gets them."""
    DIGEST = "digest"
    """What changed in an hour or a day."""
    EXPIRING = "expiring"
    """A silence over alerts that still fire ends soon."""


class AlertGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One message (see the module's text). `labels` are those that its alerts share by the route.

    `alerts` are the worst first, each as its last event; `firing` and `resolved` count them, also those beyond the
    number that a message holds. `reasons` say why it is sent now. `receiver` is the name that it is planned for; for a
    subscriber, `channel` is the receiver of the settings that delivers it, `address` where to and `language` in which
    language.
    """

    id: str
    revision: int
    receiver: str
    labels: dict[str, str]
    alerts: tuple[AlertEvent, ...]
    change: GroupChange
    severity: str
    opened_ms: int
    at_ms: int
    firing: int
    resolved: int
    reasons: tuple[str, ...] = ()
    acknowledged: tuple[str, ...] = ()
    """Names of those who acknowledged alerts of the group."""
    digest: str = ""
    """What a digest collects: an `hour` or a `day`."""
    subscriber: str = ""
    channel: str = ""
    address: str = ""
    language: str = ""
    schema: int = GROUP_VERSION

    @property
    def updated_ms(self) -> int:
        """When it changed, as for an event."""
        return self.at_ms

    @property
    def series(self) -> str:
        """The series of its worst alert, to show."""
        return self.alerts[0].series if self.alerts else ""

    def to_json(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> AlertGroup:
        """Raises `msgspec.ValidationError` or `msgspec.DecodeError`; unknown fields are ignored."""
        return msgspec.json.decode(data, type=cls)


def group_id(route: str, labels: Mapping[str, str], opened_ms: int) -> str:
    """Returns the 32 hex digits that name a group of a route."""
    parts = [route, str(opened_ms), *(f"{name}={labels[name]}" for name in sorted(labels))]
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:32]


def severity_rank(severity: str) -> int:
    """0 for information, 1 for a warning and for a severity that is not known, 2 for critical."""
    return _RANKS.get(severity, 1)


def worst_first(event: AlertEvent) -> tuple[bool, int, float, int, str]:
    """The key that sorts alerts for a message: firing, severe, improbable and early ones first."""
    return (event.state == "resolved", -severity_rank(event.severity), event.p_value, event.onset_ms, event.id)
