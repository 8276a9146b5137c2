"""The bars of a picture, from the archive's counts."""

from __future__ import annotations

from typing import cast

import msgspec

from alerts.delivery.picture import Bar
from streams.archive.protocol import Archive, RateBucket
from streams.receivers.surges import surges_of
from streams.wall_clock import DAY_MS, MINUTE_MS
from tests.alerts.delivery_event import NOW_MS, delivery_event

EVENT = msgspec.structs.replace(delivery_event("a1"), updated_ms=NOW_MS + 60 * MINUTE_MS)


class Counts:
    """An archive that holds the counts of one series."""

    def __init__(self, *buckets: RateBucket) -> None:
        self.buckets = list(buckets)
        self.asked: list[tuple[str, str, int, int, int]] = []

    async def rates(self, series: str, signal: str, since_ms: int, until_ms: int, bucket_ms: int) -> list[RateBucket]:
        self.asked.append((series, signal, since_ms, until_ms, bucket_ms))
        return self.buckets


async def test_bars_reach_from_a_day_before_the_alert_to_its_last_change_without_gaps() -> None:
    first_ms = NOW_MS // (30 * MINUTE_MS) * 30 * MINUTE_MS
    counts = Counts(RateBucket(first_ms, total=7, hits=4, mean_score=None))
    bars = await surges_of(cast("Archive", counts))(EVENT)
    assert counts.asked == [("entity/a", "negative", NOW_MS - DAY_MS, NOW_MS + 60 * MINUTE_MS, 30 * MINUTE_MS)]
    assert [bar.start_ms for bar in bars] == list(range(first_ms - DAY_MS, EVENT.updated_ms, 30 * MINUTE_MS))
    assert [bar for bar in bars if bar.total] == [Bar(first_ms, 1800, 4, 7)]


async def test_a_long_alert_has_wider_bars() -> None:
    counts = Counts()
    month = msgspec.structs.replace(EVENT, updated_ms=NOW_MS + 30 * DAY_MS)
    assert await surges_of(cast("Archive", counts))(month) == []
    assert counts.asked[0][-1] == 480 * MINUTE_MS
