"""Invented news of a desk in the shapes of the API: a day with one crisis, and whatever a test adds."""

from __future__ import annotations

import hashlib
from typing import Final

from streams.board.shapes.alerts import Alert, AlertView, Headline, Hour, Look, Notified, TimelineEntry
from streams.board.shapes.items import Entity, HeadAnswer, Item, StoryAnswer
from streams.board.shapes.series import Cell, Newest, Point, SeriesRow
from streams.wall_clock import HOUR_MS, MINUTE_MS

__all__ = ["ACME", "HOSTILE", "NAMES", "alert_of", "cells_of", "item_of", "points_of", "row_of", "view_of"]

ACME: Final = "entity/ACME"
NAMES: Final = {
    "all": "All news", ACME: "Acme Bank", "entity/BOLT": "Bolt Motors", "entity/CORE": "Core Foods",
    "topic/Earnings": "Earnings", "topic/Markets": "Markets", "source/Wire one": "Wire one",
}  # fmt: skip
HOSTILE: Final = (
    "<script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'> shares fall",
    "<svg onload='window.harmed = 1'><a href='javascript:window.harmed = 1'>Acme</a></svg>",
    "Profit rises \u202eevitagen yrev\u202c and \u2067more",
)
_CRISIS_HOURS: Final = range(3, 9)
"""Hours before now in which Acme is in trouble."""


def item_of(number: int, seen_ms: int, *, title: str = "", url: str = "", copies: int = 1) -> Item:
    """The `number`-th item: every second one is of Acme, two thirds of which are negative."""
    code, name = (("ACME", "Acme Bank"), ("BOLT", "Bolt Motors"))[number % 2]
    label = "negative" if number % 2 == 0 and number % 3 else "neutral"
    source = f"Wire {('one', 'two', 'three')[number % 3]}"
    return Item(
        id=hashlib.sha256(f"item {number}".encode()).hexdigest()[:32], content="c",
        title=title or f"{name} headline {number}", text="The bank said on Thursday that it would raise capital.",
        url=url or f"https://news.example/{number}", source=source, language="en", seen_ms=seen_ms,
        published_ms=seen_ms - MINUTE_MS, snippet="The bank said on Thursday …", watchlists=[],
        heads={
            "sentiment": HeadAnswer(label=label, probability=0.9, probabilities={"negative": 0.9, "neutral": 0.1}),
            "topic": HeadAnswer(label="Earnings", probability=0.7),
        },
        entities=[Entity(id=code, name=name, label=label, score=0.2)],
        series=["all", f"entity/{code}", "topic/Earnings", f"source/{source}"],
        story=StoryAnswer(id=f"story {number}", size=copies, publishers=[source, "Wire four"][:copies]),
        position=("e", 0, number), model="m", model_version="1",
    )  # fmt: skip


def points_of(name: str, since_ms: int, until_ms: int, now_ms: int) -> list[Point]:
    """Two hits of ten items an hour; Acme has nine in its crisis."""
    return [_point(name, start_ms, now_ms) for start_ms in range(since_ms // HOUR_MS * HOUR_MS, until_ms, HOUR_MS)]


def _point(name: str, start_ms: int, now_ms: int) -> Point:
    bad = name == ACME and (now_ms - start_ms) // HOUR_MS in _CRISIS_HOURS
    return Point(start_ms=start_ms, total=12 if bad else 10, hits=9 if bad else 2, expected=2.0, low=0.0, high=5.0)


def cells_of(name: str, since_ms: int, until_ms: int, now_ms: int) -> list[Cell | None]:
    """The same as a row of the heat map."""
    return [
        Cell(hits=point.hits, total=point.total, low=point.low, high=point.high)
        for point in points_of(name, since_ms, until_ms, now_ms)
    ]


def row_of(name: str, now_ms: int, open_alert: str | None) -> SeriesRow:
    """The last 24 hours of a series."""
    points = points_of(name, now_ms - 24 * HOUR_MS, now_ms, now_ms)
    newest = Newest(id="0" * 32, title="Newest headline", source="Wire one", seen_ms=now_ms - MINUTE_MS)
    return SeriesRow(
        name=name, kind=name.partition("/")[0], label=NAMES[name], signal="negative",
        hits=sum(point.hits for point in points), total=sum(point.total for point in points),
        expected=48.0, low=34.0, high=62.0, surprise=9.0 if name == ACME else 0.0, newest=newest, open_alert=open_alert,
    )  # fmt: skip


def alert_of(number: int, now_ms: int, *, series: str = ACME, state: str = "firing", **changes: object) -> Alert:
    """The `number`-th alert, of two hours ago."""
    span = {"start_ms": now_ms - 4 * HOUR_MS, "end_ms": now_ms - 2 * HOUR_MS, "seconds": 7_200}
    fields: dict[str, object] = {
        "id": hashlib.sha256(f"alert {number}".encode()).hexdigest()[:32], "revision": 1, "version": 1,
        "signal": "negative", "rule": "volume", "series": series, "kind": series.partition("/")[0],
        "label": NAMES[series], "state": state, "change": "opened", "severity": ("critical", "warning")[number % 2],
        "onset_ms": now_ms - 2 * HOUR_MS - number, "updated_ms": now_ms - HOUR_MS,
        "sentence": f"{NAMES[series]}: 23 negative of 31 items in 2 h, usual 0 to 2",
        "observed": {"hits": 23, "total": 31}, "expected": {"hits": 1.1, "rate": 0.5, "interval": [0, 4]},
        "window": span, "p_value": 4e-12,
        "peak": {
            "at_ms": now_ms, "seconds": 7_200, "hits": 30, "total": 40, "expected": 1.2, "interval": [0, 4],
            "p_value": 3e-19,
        },
        "labels": {"series": series, "signal": "negative", "severity": ("critical", "warning")[number % 2]},
        "annotations": {"runbook": "Ask the bank."}, "acknowledged": None, "silenced": [], "inhibited": False,
        "assignee": None,
        "last_day": [
            Hour(start_ms=point.start_ms, hits=point.hits, low=point.low, high=point.high)
            for point in points_of(series, now_ms - 24 * HOUR_MS, now_ms, now_ms)
        ],
        "headlines": [
            _headline("Run on Acme Bank", "https://news.example/1", now_ms),
            _headline(HOSTILE[0], "javascript:window.harmed=1", now_ms),
        ],
    }  # fmt: skip
    return Alert(**(fields | changes))  # type: ignore[arg-type]  # fields by name; the struct's encoder checks them


def _headline(title: str, url: str, now_ms: int) -> Headline:
    return Headline(id="1" * 32, title=title, publisher="Wire one", url=url, seen_ms=now_ms)


def view_of(alert: Alert, now_ms: int, **changes: object) -> AlertView:
    """The alert with its timeline and who was notified."""
    fields = {name: getattr(alert, name) for name in alert.__struct_fields__}
    first = Look(at_ms=alert.onset_ms, hits=4, total=5, seconds=7_200, low=0, high=1, p_value=7e-4)
    shown: dict[str, object] = {
        "silences": [], "inhibited_by": None, "your_verdict": None, "opening_headlines": [],
        "timeline": [TimelineEntry(at_ms=now_ms - 2 * HOUR_MS, kind="opened", by="", text="opened")],
        "notified": [Notified(receiver="desk mail", status="sent", at_ms=now_ms, attempts=1, problem="")],
    }  # fmt: skip
    return AlertView(**fields, opened=first, **(shown | changes))  # type: ignore[arg-type]  # as in alert_of
