"""An archive's history as rows, as it was known at a time: for those who test strategies, and for spreadsheets.

    items    every version that was seen by then, with the scores that it was given first
    series   every hour of a series that was over by then, with the band that was expected of it
    alerts   every change of an alert that was made by then

Nothing that came later is in a row: what was scored again keeps its first scores, and an hour is as `watch` closed it.
Rows come in batches, so that memory stays flat; those of items by source partition, in the order in which they came.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from alerts import AlertEvent
from streams.archive.protocol import Archive, Outcome, StoredHour
from streams.records import Scored
from streams.wall_clock import HOUR_MS

__all__ = ["COLUMNS", "Column", "Kind", "Known", "Rows", "What", "exported"]

_PAGE: Final = 1_000
_HOURS: Final = 24


class What(StrEnum):
    """What is exported."""

    ITEMS = "items"
    SERIES = "series"
    ALERTS = "alerts"


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; the name of a time ends with _ms."""

    name: str
    kind: Kind = Kind.TEXT


Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Known:
    """What was known at `as_of_ms` (None: all that is) about [since_ms, until_ms); of one series, "" for all."""

    since_ms: int = 0
    until_ms: int | None = None
    as_of_ms: int | None = None
    series: str = ""
    signal: str = ""

    def has(self, at_ms: int, known_ms: int | None = None) -> bool:
        """Whether a time is in the span, and was known by then; by default it is known when it is."""
        known_ms = at_ms if known_ms is None else known_ms
        return (
            self.since_ms <= at_ms
            and (self.until_ms is None or at_ms < self.until_ms)
            and (self.as_of_ms is None or known_ms <= self.as_of_ms)
        )

    @property
    def end_ms(self) -> int | None:
        """Behind which there is no row; None without an end."""
        ends = [end for end in (self.until_ms, self.as_of_ms) if end is not None]
        return min(ends, default=None)


def _columns(**kinds: Kind) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name, kind in kinds.items())


COLUMNS: Final[Mapping[What, tuple[Column, ...]]] = {
    What.ITEMS: _columns(
        id=Kind.TEXT, content=Kind.TEXT, counts=Kind.TEXT, seen_ms=Kind.TIME, published_ms=Kind.TIME,
        title=Kind.TEXT, text=Kind.TEXT, source=Kind.TEXT, url=Kind.TEXT, language=Kind.TEXT, score=Kind.NUMBER,
        labels=Kind.TEXT, entities=Kind.TEXT, watchlists=Kind.TEXT, series=Kind.TEXT, story=Kind.TEXT,
        duplicate_of=Kind.TEXT, model=Kind.TEXT, model_version=Kind.TEXT,
    ),
    What.SERIES: _columns(
        series=Kind.TEXT, signal=Kind.TEXT, start_ms=Kind.TIME, total=Kind.WHOLE, hits=Kind.WHOLE,
        expected=Kind.NUMBER, low=Kind.WHOLE, high=Kind.WHOLE,
    ),
    What.ALERTS: _columns(
        id=Kind.TEXT, revision=Kind.WHOLE, updated_ms=Kind.TIME, onset_ms=Kind.TIME, series=Kind.TEXT,
        signal=Kind.TEXT, rule=Kind.TEXT, change=Kind.TEXT, state=Kind.TEXT, severity=Kind.TEXT, hits=Kind.WHOLE,
        total=Kind.WHOLE, expected=Kind.NUMBER, low=Kind.WHOLE, high=Kind.WHOLE, p_value=Kind.NUMBER,
        window_seconds=Kind.WHOLE,
    ),
}  # fmt: skip


def exported(archive: Archive, what: What, known: Known) -> AsyncIterator[Rows]:
    """Returns the rows in batches, each with the fields of its `COLUMNS`. Raises `Retry` if the archive is away."""
    makers = {What.ITEMS: _items, What.SERIES: _series, What.ALERTS: _alerts}
    return makers[what](archive, known)


async def _items(archive: Archive, known: Known) -> AsyncIterator[Rows]:
    for epoch, partition in sorted(await archive.source_partitions()):
        offset = -1
        while page := await archive.items_after(epoch=epoch, partition=partition, after_offset=offset, limit=_PAGE):
            offset = page[-1].position.offset
            wanted = [one for one in page if known.has(one.news.seen_ms) and known.series in ("", *one.series)]
            outcomes = await archive.outcomes(wanted)
            yield [_item_row(item, outcome) for item, outcome in zip(wanted, outcomes, strict=True)]


def _item_row(item: Scored, outcome: Outcome) -> dict[str, Any]:
    """`counts` is yes, late or unscored, or revision: what was counted is known without what came later."""
    news = item.news
    counts = "yes" if item.is_counted else "late" if item.late else "unscored"
    return {
        "id": news.id,
        "content": news.content,
        "counts": "revision" if outcome is Outcome.REVISION else counts,
        "seen_ms": news.seen_ms,
        "published_ms": news.published_ms,
        "title": news.title,
        "text": news.text,
        "source": news.source,
        "url": news.url,
        "language": item.language,
        "score": item.score,
        "labels": "; ".join(f"{head}={score.label}" for head, score in item.heads.items()),
        "entities": "; ".join(one.id for one in item.entities),
        "watchlists": "; ".join(item.watchlists),
        "series": "; ".join(item.series),
        "story": item.story.id,
        "duplicate_of": item.story.duplicate_of,
        "model": item.model,
        "model_version": item.model_version,
    }


async def _series(archive: Archive, known: Known) -> AsyncIterator[Rows]:
    """A day of hours at a time, from the first that is stored on."""
    names = [known.series] if known.series else None
    start_ms: int | None = known.since_ms
    while start_ms is not None:
        start_ms = await archive.first_hour(known.signal, start_ms)
        if start_ms is None or (known.end_ms is not None and start_ms >= known.end_ms):
            return
        end_ms = start_ms + _HOURS * HOUR_MS
        rows = await archive.hours(names, known.signal, start_ms, end_ms)
        yield [_hour_row(row) for row in rows if known.has(row.start_ms, row.start_ms + HOUR_MS)]
        start_ms = end_ms


def _hour_row(hour: StoredHour) -> dict[str, Any]:
    return {
        "series": hour.series,
        "signal": hour.signal,
        "start_ms": hour.start_ms,
        "total": hour.total,
        "hits": hour.hits,
        "expected": hour.expected,
        "low": hour.low,
        "high": hour.high,
    }


async def _alerts(archive: Archive, known: Known) -> AsyncIterator[Rows]:
    before: tuple[int, str] | None = None
    while page := await archive.alerts(series=known.series, before=before, limit=_PAGE):
        before = page[-1].onset_ms, page[-1].id
        changes = [change for one in page for change in await archive.alert_history(one.id)]
        events = [AlertEvent.from_json(one.body) for one in changes if known.has(one.updated_ms)]
        yield [_alert_row(event) for event in events]


def _alert_row(event: AlertEvent) -> dict[str, Any]:
    low, high = event.expected.interval
    return {
        "id": event.id,
        "revision": event.revision,
        "updated_ms": event.updated_ms,
        "onset_ms": event.onset_ms,
        "series": event.series,
        "signal": event.signal,
        "rule": event.rule,
        "change": event.change,
        "state": event.state,
        "severity": event.severity,
        "hits": event.observed.hits,
        "total": event.observed.total,
        "expected": event.expected.hits,
        "low": low,
        "high": high,
        "p_value": event.p_value,
        "window_seconds": event.window.seconds,
    }
