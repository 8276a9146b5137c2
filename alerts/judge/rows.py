"""What the judge goes on from after a restart: rows of MessagePack, each under a key of its own.

"j/meta"           how far the log is judged, the time of ticks, which partitions sealed which tick
"j/h/ID.REVISION"  an event that waits for its tick
"j/a/ID"           an alert: its last event, who looks after it
"j/g/ID"           a group: its alerts, what its receivers know of them, when it is due
"j/m/ID"           a silence or a maintenance window
"j/s/NAME"         a subscription
"j/w/NAME"         a watchlist that was made while workers ran
"j/d/ID"           a decision that was accepted or refused
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from alerts.judge.decisions import Answer, Outcome, Subscribe
from alerts.records import AlertEvent
from alerts.rows import decoded

__all__ = [
    "ALERT",
    "ANSWER",
    "GROUP",
    "HELD",
    "META",
    "MUTE",
    "ROW_VERSION",
    "SUBSCRIPTION",
    "WATCHLIST",
    "AlertRow",
    "AnswerRow",
    "Comment",
    "GroupRow",
    "HeldRow",
    "Member",
    "MetaRow",
    "MuteRow",
    "SubscriptionRow",
    "WatchlistRow",
    "encoded",
    "row_of",
]

ROW_VERSION: Final = 1
META: Final = "j/meta"
HELD: Final = "j/h/"
ALERT: Final = "j/a/"
GROUP: Final = "j/g/"
MUTE: Final = "j/m/"
SUBSCRIPTION: Final = "j/s/"
WATCHLIST: Final = "j/w/"
ANSWER: Final = "j/d/"


class MetaRow(msgspec.Struct, kw_only=True):
    """`sealed` is the last tick of each partition of mentions, `away` those that are not waited for.

    `policy` is the fingerprint of the policy that the groups are of."""

    position: int = -1
    now_ms: int = 0
    of: int = 0
    sealed: dict[int, int] = {}
    away: list[int] = []
    policy: str = ""
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
    while `acknowledged_by` is not empty. `hidden_by` is why it was not sent when its groups were last looked at.
    `verdicts` are what people said of it last, by person. `past_groups` are the last ones that it left: by them one
    knows who was notified.
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
    verdicts: dict[str, str] = {}
    version: int = ROW_VERSION
    past_groups: list[str] = []

    @property
    def fires(self) -> bool:
        return self.event.state not in ("resolved", "noted")

    @property
    def hidden(self) -> tuple[str, str]:
        """How it is hidden (`inhibited`, `maintenance`, `silence`) and the id of what hides it; empty if unknown."""
        how, _, by = self.hidden_by.partition("/")
        return how, by

    @property
    def noted(self) -> bool:
        """Whether it is information, complete in itself: it is sent once and never ends."""
        return self.event.state == "noted"


class Member(msgspec.Struct):
    """What a group's receivers know of an alert: `told` is empty or the state that they know, `rank` its severity's.

    `left` is how the alert ends here, where its labels now put it into other groups: its receivers are told that.
    """

    told: str = ""
    rank: int = -1
    left: AlertEvent | None = None


class GroupRow(msgspec.Struct, kw_only=True):
    """A group from its first alert to the message about its end. Times are in ms, 0 where there is none.

    `news_ms`, `repeat_ms` and `escalate_ms` are when it is due for which reason; `remind` is why the next reminder
    comes before its time. Nobody had acknowledged it from `open_since_ms` on, and `steps` of the route's escalations
    were taken since; `reached` are those that were ever taken. `hidden`: some of its alerts may not be sent.
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
    remind: str = ""
    open_since_ms: int = 0
    steps: int = 0
    reached: int = 0
    hidden: bool = False
    version: int = ROW_VERSION

    @property
    def due_ms(self) -> int:
        """When something is due first; 0: nothing."""
        return min((ms for ms in (self.news_ms, self.repeat_ms, self.escalate_ms) if ms), default=0)

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What an alert that joins finds it by."""
        return (self.route, tuple(sorted(self.labels.items())))


class MuteRow(msgspec.Struct, kw_only=True):
    """A silence, or a maintenance window (`planned`), from `starts_ms` to `ends_ms`.

    With `until_worse` only alerts up to the severity `ceiling` are hidden. `warn_ms` is when its end is announced, 0
    when it was or is not to be.
    """

    id: str
    by: str
    at_ms: int
    matchers: tuple[str, ...]
    starts_ms: int
    ends_ms: int
    planned: bool = False
    until_worse: bool = False
    ceiling: int = 0
    warn_ms: int = 0
    comment: str = ""
    seen_version: int = 1
    version: int = ROW_VERSION

    def holds(self, now_ms: int) -> bool:
        """Whether it is in force at a time."""
        return self.starts_ms <= now_ms < self.ends_ms

    @property
    def due_ms(self) -> int:
        """When it ends, or its end is announced."""
        return self.warn_ms or self.ends_ms


class SubscriptionRow(msgspec.Struct, kw_only=True):
    """What a person wants to be sent."""

    wish: Subscribe
    seen_version: int = 1
    version: int = ROW_VERSION


class WatchlistRow(msgspec.Struct, kw_only=True):
    """A watchlist that people made; `body` as in the file of watchlists."""

    name: str
    by: str
    at_ms: int
    body: dict[str, Any]
    seen_version: int = 1
    version: int = ROW_VERSION


class AnswerRow(msgspec.Struct, frozen=True):
    """What became of a decision at a position of the log, and the version of its target then."""

    position: int
    target_version: int
    version: int = ROW_VERSION
    outcome: Outcome = Outcome.ACCEPTED
    detail: str = ""

    def again(self, decision: str) -> Answer:
        """Returns the answer to the decision when it comes again: a refused one is refused alike."""
        if self.outcome is Outcome.ACCEPTED:
            return Answer(decision=decision, outcome=Outcome.REPEATED, version=self.target_version)
        return Answer(decision=decision, outcome=self.outcome, version=self.target_version, detail=self.detail)


R = TypeVar("R", MetaRow, HeldRow, AlertRow, GroupRow, MuteRow, SubscriptionRow, WatchlistRow, AnswerRow)


def encoded(row: msgspec.Struct) -> bytes:
    """Returns the row as it is written down."""
    return _encoder.encode(row)


def row_of(data: bytes, kind: type[R]) -> R:
    """Returns the row. Raises `StateError` where it is damaged or of another version."""
    return decoded(data, kind, ROW_VERSION, "the judge")


_encoder = msgspec.msgpack.Encoder()
