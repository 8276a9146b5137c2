"""A series over time: what it counted in each bucket, and the band of what was expected.

    hours that `watch` archived ─┬─► by hour ─► buckets of an hour or more, with bands ─► Point
    archive.rates, around them ──┘
    archive.rates ─► shorter buckets, without

Around the archived hours is what `watch` has not closed yet, and what came before it kept hours. There copies are
counted too, as in every search.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.bands import band_from
from streams.archive.protocol import Archive, RateBucket, StoredAlert, StoredHour
from streams.board.reading.spans import Span
from streams.board.shapes.series import AlertSpan, Point
from streams.jobs.alert_search import OPEN
from streams.jobs.series_history import bucket_ms_for
from streams.wall_clock import HOUR_MS

__all__ = ["MOST_POINTS", "alert_spans", "default_bucket_ms", "points_of"]

MOST_POINTS: Final = 2_500
_USUAL_POINTS: Final = 200
_MOST_ALERTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Hour:
    total: int
    hits: int
    stored: StoredHour | None = None


def default_bucket_ms(span: Span) -> int:
    """Returns the length of a bucket, an hour or more, of which 200 or so cover the time."""
    return max(HOUR_MS, bucket_ms_for(span.until_ms - span.since_ms, _USUAL_POINTS))


async def points_of(
    archive: Archive, series: str, everything: str, signal: str, span: Span, bucket_ms: int
) -> list[Point]:
    """Returns the buckets that touch the time, oldest first; `everything` is the series of all items.

    A bucket of several hours has a band where half of its hours have one.
    """
    starts = range(span.since_ms // bucket_ms * bucket_ms, span.until_ms, bucket_ms)
    if bucket_ms % HOUR_MS:
        rates = await archive.rates(series, signal, starts.start, span.until_ms, bucket_ms)
        known = {rate.start_ms: rate for rate in rates}
        return [_plain(start_ms, known.get(start_ms)) for start_ms in starts]
    hours = await _hours(archive, series, everything, signal, Span(starts.start, span.until_ms))
    return [_point(start_ms, bucket_ms, hours) for start_ms in starts]


async def _hours(archive: Archive, series: str, everything: str, signal: str, span: Span) -> Mapping[int, _Hour]:
    rows = await archive.hours(sorted({series, everything}), signal, span.since_ms, span.until_ms)
    own = {row.start_ms: _Hour(row.total, row.hits, row) for row in rows if row.series == series}
    if not rows:
        return await _counted(archive, series, signal, [span])
    before = Span(span.since_ms, rows[0].start_ms)
    behind = Span(rows[-1].start_ms + HOUR_MS, span.until_ms)
    return {**await _counted(archive, series, signal, [before, behind]), **own}


async def _counted(archive: Archive, series: str, signal: str, spans: Iterable[Span]) -> dict[int, _Hour]:
    found: dict[int, _Hour] = {}
    for span in spans:
        if span.since_ms < span.until_ms:
            rates = await archive.rates(series, signal, span.since_ms, span.until_ms, HOUR_MS)
            found |= {rate.start_ms: _Hour(rate.total, rate.hits) for rate in rates}
    return found


def _plain(start_ms: int, rate: RateBucket | None) -> Point:
    total, hits = (rate.total, rate.hits) if rate is not None else (0, 0)
    return Point(start_ms=start_ms, total=total, hits=hits, expected=None, low=None, high=None)


def _point(start_ms: int, bucket_ms: int, hours: Mapping[int, _Hour]) -> Point:
    found = [hours[at_ms] for at_ms in range(start_ms, start_ms + bucket_ms, HOUR_MS) if at_ms in hours]
    expected, low, high = _band([one.stored for one in found if one.stored is not None], bucket_ms // HOUR_MS)
    return Point(
        start_ms=start_ms,
        total=sum(one.total for one in found),
        hits=sum(one.hits for one in found),
        expected=expected,
        low=low,
        high=high,
    )


def _band(stored: Sequence[StoredHour], hours: int) -> tuple[float | None, int | None, int | None]:
    """Hours that were silent have no row where the series is a quiet one: they are expected to be as the others."""
    judged = [one for one in stored if one.expected is not None]
    if not judged or 2 * len(judged) < hours:
        return None, None, None
    if hours == 1:
        return judged[0].expected, judged[0].low, judged[0].high
    scale = hours / len(judged)
    band = band_from(
        scale * sum(one.expected or 0.0 for one in judged), scale * sum(one.excess or 0.0 for one in judged)
    )
    return band.expected, band.low, band.high


async def alert_spans(archive: Archive, series: str, signal: str, span: Span) -> list[AlertSpan]:
    """Returns the alerts of a series and signal that were open in the time, oldest first."""
    alerts = await archive.alerts(series=series, limit=_MOST_ALERTS)
    found = [_alert_span(one) for one in alerts if one.signal == signal and _touches(one, span)]
    return sorted(found, key=lambda one: (one.onset_ms, one.id))


def _touches(alert: StoredAlert, span: Span) -> bool:
    return alert.onset_ms < span.until_ms and (alert.state in OPEN or alert.updated_ms >= span.since_ms)


def _alert_span(alert: StoredAlert) -> AlertSpan:
    return AlertSpan(
        id=alert.id,
        severity=alert.severity,
        state=alert.state,
        onset_ms=alert.onset_ms,
        end_ms=None if alert.state in OPEN else alert.updated_ms,
    )
