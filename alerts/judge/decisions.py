"""What people decide about alerts: wire records, JSON, told apart by `kind`.

    acknowledge, unacknowledge     somebody looks after the alerts until a time
    silence, expire_silence        no messages about alerts that match, until a time or until they become worse
    maintenance                    the same for a planned time; ended by expire_silence
    assign, note                   who is to look, and what was found
    verdict                        whether it was worth it: useful, noise, wrong company, old news
    subscribe, unsubscribe         a person's own messages
    watch, unwatch                 a watchlist that changes while workers run
    unreadable                     in place of a record of `control` that is none of these: refused, and in the trail

A decision carries `seen`, the version of its target that the person saw, and is refused when that has moved;
None decides whatever the version. The judge answers every decision once, by its place in the log:
one that comes again is not followed again, and one that was refused stays refused.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec

from alerts.records import EARLIEST_MS, LATEST_MS

__all__ = [
    "Acknowledge",
    "Answer",
    "Assign",
    "Decision",
    "ExpireSilence",
    "Maintenance",
    "Note",
    "Outcome",
    "QuietHours",
    "Silence",
    "Subscribe",
    "Unacknowledge",
    "Unreadable",
    "Unsubscribe",
    "Unwatch",
    "Verdict",
    "Watch",
    "decision_from_json",
]

DECISION_VERSION: Final = 1

_Time = Annotated[int, msgspec.Meta(ge=EARLIEST_MS, le=LATEST_MS)]
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_Line = Annotated[str, msgspec.Meta(max_length=2_000)]
_Names = Annotated[tuple[_Line, ...], msgspec.Meta(max_length=2_000)]
_Matchers = Annotated[tuple[Annotated[str, msgspec.Meta(max_length=2_000)], ...], msgspec.Meta(max_length=32)]


class _Decided(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """`id` names the decision, `by` the person; `at_ms` is when it was sent, by the sender's clock, for the trail."""

    id: _Id
    by: _Line
    at_ms: _Time
    seen: int | None = None
    schema: int = DECISION_VERSION


class Acknowledge(_Decided, frozen=True, kw_only=True, tag="acknowledge"):
    """`by` looks after the target, an alert or all firing alerts of a group, until `until_ms`.

    No reminder and no escalation until then, or until it becomes worse.
    """

    target: _Id
    until_ms: _Time
    comment: _Line = ""


class Unacknowledge(_Decided, frozen=True, kw_only=True, tag="unacknowledge"):
    """The target waits for somebody again."""

    target: _Id
    comment: _Line = ""


class Silence(_Decided, frozen=True, kw_only=True, tag="silence"):
    """No messages about alerts that match all of `matchers`; the decision's id names the silence.

    It begins at once without `starts_ms`. With `until_worse` an alert breaks through once it is more severe than
    any that matched when the silence was made.
    """

    matchers: _Matchers
    ends_ms: _Time
    starts_ms: _Time | None = None
    until_worse: bool = False
    comment: _Line = ""


class ExpireSilence(_Decided, frozen=True, kw_only=True, tag="expire_silence"):
    """The silence or maintenance window called `silence` ends now."""

    silence: _Id


class Maintenance(_Decided, frozen=True, kw_only=True, tag="maintenance"):
    """A planned time without messages; without `matchers` about every alert. The decision's id names it."""

    starts_ms: _Time
    ends_ms: _Time
    matchers: _Matchers = ()
    comment: _Line = ""


class Assign(_Decided, frozen=True, kw_only=True, tag="assign"):
    """The target is `to`'s from now on; an empty name takes it back."""

    target: _Id
    to: _Line


class Note(_Decided, frozen=True, kw_only=True, tag="note"):
    """What was found out about the target."""

    target: _Id
    text: _Line


class Verdict(_Decided, frozen=True, kw_only=True, tag="verdict"):
    """Whether the alert `target` was worth it; `label` is the word to count by. It may have ended long ago."""

    target: _Id
    label: Literal["useful", "noise", "wrong_company", "old_news"]


class QuietHours(msgspec.Struct, frozen=True):
    """From `start` to `end`, both HH:MM in the subscriber's time zone; over midnight where `end` is the earlier one.

    What comes then is sent when they end; an alert of `unless` or worse is sent at once.
    """

    start: Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    end: Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    unless: str = "critical"


class Subscribe(_Decided, frozen=True, kw_only=True, tag="subscribe"):
    """A person's messages, made or replaced under `name`.

    `channel` is a receiver of the settings, `address` where it is to deliver (empty: its own). Alerts of the named
    `watchlists` (of all series without one) that meet `matchers` and are of `minimum_severity` or worse are sent, in
    a message for each value of the labels `group_by`. `digest` collects them for an `hour` or a `day`, whose digest is
    due at `digest_at` in the time zone.
    """

    name: _Id
    channel: _Id
    address: _Line = ""
    watchlists: _Names = ()
    matchers: _Matchers = ()
    minimum_severity: str = "warning"
    group_by: _Names = ("signal",)
    quiet: QuietHours | None = None
    time_zone: str = "UTC"
    digest: str = ""
    digest_at: Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "08:00"
    language: str = ""


class Unsubscribe(_Decided, frozen=True, kw_only=True, tag="unsubscribe"):
    """No more messages for the subscriber."""

    name: _Id


class Watch(_Decided, frozen=True, kw_only=True, tag="watch"):
    """The watchlist `name`, made or replaced; `body` is its entry as the file of watchlists writes it."""

    name: _Id
    body: dict[str, Any] = {}


class Unwatch(_Decided, frozen=True, kw_only=True, tag="unwatch"):
    """The watchlist is no longer watched."""

    name: _Id


class Unreadable(_Decided, frozen=True, kw_only=True, tag="unreadable"):
    """A decision that the judge cannot read, as far as it can be read; `problem` is why. It is refused."""

    problem: _Line
    wanted: _Line = ""
    target: Annotated[str, msgspec.Meta(max_length=128)] = ""


Decision = (
    Acknowledge
    | Unacknowledge
    | Silence
    | ExpireSilence
    | Maintenance
    | Assign
    | Note
    | Verdict
    | Subscribe
    | Unsubscribe
    | Watch
    | Unwatch
    | Unreadable
)


class Outcome(StrEnum):
    """Why a decision was accepted or not."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    """The same decision was accepted before; nothing changed."""
    MOVED = "moved"
    """The target has another version than the person saw: somebody else decided, or it became worse."""
    UNKNOWN = "unknown"
    """There is no such alert, group, silence, subscriber or watchlist, or not any more."""
    OVER = "over"
    """It ends before it begins, or has ended already."""
    WRONG = "wrong"
    """A matcher, a time zone or a name in it is wrong; `detail` says which."""
    TOO_MANY = "too_many"
    """No more of its kind are kept; end others first."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a decision. `version` is that of its target now, 0 without one; `detail` is for people."""

    decision: str
    outcome: Outcome
    version: int = 0
    detail: str = ""

    @property
    def accepted(self) -> bool:
        return self.outcome in (Outcome.ACCEPTED, Outcome.REPEATED)


def decision_from_json(data: bytes) -> Decision:
    """Raises `msgspec.ValidationError` or `msgspec.DecodeError`; unknown fields are ignored."""
    return _decisions.decode(data)


_decisions: msgspec.json.Decoder[Decision] = msgspec.json.Decoder(Decision)
