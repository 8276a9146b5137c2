"""What an alert says: wire records, JSON on the topic `alerts`. All times are UTC epoch milliseconds.

    AlertEvent   one change of state of one alert   {id, revision, signal, rule, series, state, …, top_items}
      .with_headlines(…)   the same with titles, publishers and links, as the watch stage reads them

An alert's `id` hashes signal, rule, series and onset, so that a redo names it alike. `revision` rises by one with
every event of an alert: a reader keeps the highest, and a notification's identity is (id, revision).

`labels` are what routes, silences and inhibition match. `labels_of` makes them: `alertname`, `signal`, `series`,
`kind`, `severity`, for a series such as `entity/ACME` its bare `name`, and those of the rule. `annotations` are texts
for people. An event of severity `info` is `noted`: it is complete in itself, and nothing resolves it.
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
    "labels_of",
    "one_line",
    "rounded",
]

RECORD_VERSION = 3

State = str  # "firing" | "escalated" | "resolved" | "noted"
Change = str  # "opened" | "reopened" | "escalated" | "ongoing" | "resolved" | "noted"
NEWS: Final = ("opened", "reopened", "escalated", "noted")
"""Changes that are news themselves: with headlines, and counted in the latency of alerts."""

Severity = str  # "info" | "warning" | "critical"

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
    """One change of state of one alert on one `signal` of the profile (see the module's text).

    `rule` is the name of the rule, `detector` what it computes: "volume", "share" or "each".
    """

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
    detector: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
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


def labels_of(
    rule: str, signal: str, series: str, kind: str, severity: Severity, own: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Returns the labels of an alert, each value on one line. Those of the rule (`own`) never replace the others."""
    name = series.removeprefix(f"{kind}/")
    found = dict(own or {}) | {
        "alertname": rule,
        "signal": signal,
        "series": series,
        "kind": kind,
        "severity": severity,
    }
    if name != series:
        found["name"] = name
    return {label: one_line(value) for label, value in found.items()}


def one_line(text: str) -> str:
    """Returns one line without control, format and line-separating characters (escape sequences, bidi overrides)."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def alert_id(signal: str, rule: str, series: str, onset_ms: int) -> str:
    """Returns the 32 hex digits that name an alert; the same arguments always give the same."""
    return hashlib.sha256(f"{signal}\x00{rule}\x00{series}\x00{onset_ms}".encode()).hexdigest()[:32]
