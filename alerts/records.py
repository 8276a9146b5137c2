"""What an alert says: wire records, JSON on the topic `alerts`. All times are UTC epoch milliseconds.

    AlertEvent   one change of state of one alert   {id, revision, signal, rule, series, state, …, top_items}
      .with_headlines(…)   the same with titles, publishers and links, as the watch stage reads them

An alert's `id` hashes signal, rule, series and onset, so that a redo names it alike. `revision` rises by one with
every event of an alert: a reader keeps the highest, and a notification's identity is (id, revision).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

__all__ = [
    "EARLIEST_MS",
    "LATEST_MS",
    "NEWS",
    "RECORD_VERSION",
    "AlertEvent",
    "Change",
    "Expected",
    "Headline",
    "Observed",
    "Peak",
    "Severity",
    "State",
    "TopItem",
    "WindowSpan",
    "alert_id",
    "rounded",
]

RECORD_VERSION = 2

State = str  # "firing" | "escalated" | "resolved"
Change = str  # "opened" | "reopened" | "escalated" | "ongoing" | "resolved"
NEWS: Final = ("opened", "reopened", "escalated")
"""Changes that are news themselves: with headlines, and counted in the latency of alerts."""

Severity = str  # "warning" | "critical"

EARLIEST_MS: Final = -62_135_596_800_000
"""The begin of the year 1."""

LATEST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""

_Time = Annotated[int, msgspec.Meta(ge=EARLIEST_MS, le=LATEST_MS)]
"""A time that a calendar has, in ms: every channel can print it."""


class WindowSpan(msgspec.Struct, frozen=True):
    """The span that was counted, [start, end); `seconds` is the window's nominal length."""

    start_ms: _Time
    end_ms: _Time
    seconds: int


class Observed(msgspec.Struct, frozen=True):
    hits: int
    total: int


class Expected(msgspec.Struct, frozen=True):
    """What the baseline expected in the same span.

    `hits` is the expected number of hits; `rate` the same per hour (rule volume) or as a
    share of the items (rule share); `interval` the central 95 % interval of that number.
    """

    hits: float
    rate: float
    interval: tuple[int, int]


class Peak(msgspec.Struct, frozen=True):
    """The most improbable look so far: what an ended alert was about. Fields as in the event itself."""

    at_ms: _Time
    seconds: int
    hits: int
    total: int
    expected: float
    interval: tuple[int, int]
    p_value: float


class TopItem(msgspec.Struct, frozen=True):
    """A hit behind the alert; `weight` is the probability that the item hits the signal."""

    id: str
    seen_ms: _Time
    weight: float
    title: str = ""
    publisher: str = ""
    url: str = ""


class Headline(msgspec.Struct, frozen=True):
    """What people read of an item."""

    title: str
    publisher: str
    url: str = ""


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One change of state of one alert on one `signal` of the profile (see the module's text)."""

    id: str
    revision: int
    signal: str
    rule: str
    series: str
    kind: str
    state: State
    change: Change
    severity: Severity
    onset_ms: _Time
    updated_ms: _Time
    window: WindowSpan
    observed: Observed
    expected: Expected
    p_value: float
    level: float
    peak: Peak
    reasons: tuple[str, ...]
    top_items: tuple[TopItem, ...]
    schema: int = RECORD_VERSION

    def with_headlines(self, headlines: Mapping[str, Headline]) -> AlertEvent:
        """The same event, its top items named; an id without a headline stays as it is."""
        named = tuple(
            msgspec.structs.replace(item, title=line.title, publisher=line.publisher, url=line.url)
            if (line := headlines.get(item.id))
            else item
            for item in self.top_items
        )
        return msgspec.structs.replace(self, top_items=named)

    def to_json(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> AlertEvent:
        """Raises `msgspec.ValidationError` or `msgspec.DecodeError`; unknown fields are ignored."""
        return msgspec.json.decode(data, type=cls)


def rounded(value: float) -> float:
    """Six significant digits: enough for people, and the same text on every machine."""
    return float(f"{value:.6g}")


def alert_id(signal: str, rule: str, series: str, onset_ms: int) -> str:
    """Returns the 32 hex digits that name an alert; the same arguments always give the same."""
    return hashlib.sha256(f"{signal}\x00{rule}\x00{series}\x00{onset_ms}".encode()).hexdigest()[:32]
