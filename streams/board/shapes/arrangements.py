"""What people arrange: silences, subscriptions, watchlists. An action names the `version` of one in `If-Match`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from alerts.judge.decisions import QuietHours
from streams.board.shapes.alerts import Alert
from streams.board.shapes.base import Count, TimeMs

__all__ = [
    "MakeSilence", "Matchers", "PutSubscription", "Silence", "SilencePreview", "Subscription", "Watchlist",
]  # fmt: skip

_Line = Annotated[str, Meta(max_length=2_000)]
_Matchers = Annotated[list[_Line], Meta(max_length=32, description="such as kind=entity; all must hold")]
_Names = Annotated[list[_Line], Meta(max_length=2_000)]
_Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Matchers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alerts a silence would be about."""

    matchers: _Matchers


class MakeSilence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No messages about alerts that match, until `ends_ms` or for so many seconds; by default from now on, for 2 h.

    With `until_worse` an alert breaks through that becomes more severe than those that match now. `maintenance` is a
    planned time; without matchers it is about every alert.
    """

    matchers: _Matchers = []
    starts_ms: TimeMs | None = None
    ends_ms: TimeMs | None = None
    for_seconds: Annotated[int, Meta(ge=60, le=31_536_000)] | None = None
    until_worse: bool = False
    maintenance: bool = False
    comment: _Line = ""


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A silence or a maintenance window that is not over; `firing` is how many alerts it is about now.

    `about` says in words which alerts it is about.
    """

    id: str
    version: Count
    about: str
    by: str
    at_ms: int
    matchers: list[str]
    starts_ms: int
    ends_ms: int
    until_worse: bool
    maintenance: bool
    comment: str
    firing: Count


class SilencePreview(msgspec.Struct, frozen=True, kw_only=True):
    """The firing alerts that match, and of how many series they are; `past` of the last 500 that ended match too.

    `now_ms` is when a silence that is made now begins.
    """

    alerts: list[Alert]
    series: Count
    past: Count
    now_ms: int


class PutSubscription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person wants to be sent, as `moodwire subscriptions set` takes it.

    `channel` is a receiver of the settings, `address` an e-mail address; empty: the receiver's own.
    """

    channel: Annotated[str, Meta(min_length=1, max_length=128)]
    address: Annotated[str, Meta(max_length=320)] = ""
    watchlists: _Names = []
    matchers: _Matchers = []
    minimum_severity: Annotated[str, Meta(pattern="^(info|warning|critical)$")] = "warning"
    group_by: _Names = msgspec.field(default_factory=lambda: ["signal"])
    quiet: QuietHours | None = None
    time_zone: Annotated[str, Meta(max_length=100)] = "UTC"
    digest: Annotated[str, Meta(pattern="^(|hour|day)$")] = ""
    digest_at: _Clock = "08:00"
    language: Annotated[str, Meta(max_length=35)] = ""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription; `wish` is what `PUT` takes, `by` made it."""

    name: str
    version: Count
    by: str
    at_ms: int
    wish: PutSubscription


class Watchlist(msgspec.Struct, frozen=True, kw_only=True):
    """A watchlist: of the settings' file (version 0, changed there), or made by a person while workers run.

    `body` is its entry as the file of watchlists has it, without the name, and what `PUT` takes.
    """

    name: str
    version: Count
    by: str
    at_ms: int | None
    body: dict[str, Any]
