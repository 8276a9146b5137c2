"""The bars of an alert's picture, from the archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from alerts.delivery.picture import Bar, History
from alerts.records import AlertEvent
from streams.archive.protocol import Archive, RateBucket
from streams.wall_clock import DAY_MS, MINUTE_MS

__all__ = ["surges_of"]

_MOST_BARS: Final = 96
_BUCKETS_MS: Final = tuple(minutes * MINUTE_MS for minutes in (15, 30, 60, 120, 240, 480))


def surges_of(archive: Archive) -> History:
    """Returns what reads the bars: from a day before the alert's begin until its last change."""

    async def read(event: AlertEvent) -> Sequence[Bar]:
        since_ms, until_ms = event.onset_ms - DAY_MS, event.updated_ms
        bucket_ms = _bucket_ms(until_ms - since_ms)
        found = await archive.rates(event.series, event.signal, since_ms, until_ms, bucket_ms)
        known = {bucket.start_ms: bucket for bucket in found}
        starts = range(since_ms // bucket_ms * bucket_ms, until_ms, bucket_ms)
        return [_bar(start_ms, bucket_ms, known) for start_ms in starts] if found else []

    return read


def _bar(start_ms: int, bucket_ms: int, known: dict[int, RateBucket]) -> Bar:
    bucket = known.get(start_ms)
    return Bar(start_ms, bucket_ms // 1000, bucket.hits if bucket else 0, bucket.total if bucket else 0)


def _bucket_ms(span_ms: int) -> int:
    return next(
        (one for one in _BUCKETS_MS if span_ms <= one * _MOST_BARS), -(-span_ms // _MOST_BARS // DAY_MS) * DAY_MS
    )
