"""How the stream does now: its newest item, and its mood over the last day."""

from __future__ import annotations

from collections.abc import Sequence

from streams.archive.protocol import Archive, Query, RateBucket
from streams.board.reading.movers import Moved, Watched, moved_in
from streams.board.reading.spans import Span
from streams.board.shapes.status import Mood
from streams.text.heads import Of
from streams.text.profile import Profile
from streams.wall_clock import DAY_MS, HOUR_MS

__all__ = ["everything", "mood_at", "mood_of", "newest_ms"]

_PAST_DAYS = 14
_SIGMAS = 2.0
_FEWEST_DAYS = 3


def everything(profile: Profile) -> str:
    """Returns the series of all items; empty where the profile has none."""
    return next((kind for kind, made in profile.series.items() if made.of is Of.EVERYTHING), "")


async def newest_ms(archive: Archive) -> int | None:
    """Returns when the newest item was seen, None without items."""
    newest = await archive.search(Query(limit=1))
    return newest[0].item.news.seen_ms if newest else None


async def mood_at(archive: Archive, series: str, signal: str, end_ms: int, hours: int = 24) -> Mood:
    """Returns the mood of the `hours` before `end_ms`, against what the baseline expected of them.

    Where `watch` has not archived hours with a band, against the fourteen days before.
    """
    span = Span(max(end_ms - hours * HOUR_MS, 0) // HOUR_MS * HOUR_MS, end_ms)
    moved = await moved_in(archive, Watched([series], signal, series), span)
    if moved and moved[0].band is not None:
        return _judged(moved[0], signal, hours)
    since_ms = end_ms - _PAST_DAYS * DAY_MS - hours * HOUR_MS
    return mood_of(await archive.rates(series, signal, since_ms, end_ms, HOUR_MS), signal, end_ms, hours)


def _judged(moved: Moved, signal: str, hours: int) -> Mood:
    band, total = moved.band, max(moved.total, 1)
    assert band is not None, "asked before"
    return Mood(
        signal=signal,
        share=min(moved.hits / total, 1.0),
        low=min(band.low / total, 1.0),
        high=min(band.high / total, 1.0),
        hits=moved.hits,
        total=moved.total,
        hours=hours,
    )


def mood_of(buckets: Sequence[RateBucket], signal: str, end_ms: int, hours: int) -> Mood:
    """Returns share and band of the last `hours`; the band is two standard deviations of earlier spans as long."""
    span_ms = hours * HOUR_MS
    spans: dict[int, tuple[int, int]] = {}
    for bucket in buckets:
        age = (end_ms - 1 - bucket.start_ms) // span_ms
        hits, total = spans.get(age, (0, 0))
        spans[age] = hits + bucket.hits, total + bucket.total
    hits, total = spans.pop(0, (0, 0))
    low, high = _band([hits / total for hits, total in spans.values() if total])
    share = hits / total if total else 0.0
    return Mood(signal=signal, share=share, low=low, high=high, hits=hits, total=total, hours=hours)


def _band(shares: Sequence[float]) -> tuple[float | None, float | None]:
    if len(shares) < _FEWEST_DAYS:
        return None, None
    mean = sum(shares) / len(shares)
    spread = _SIGMAS * (sum((share - mean) ** 2 for share in shares) / (len(shares) - 1)) ** 0.5
    return max(0.0, mean - spread), min(1.0, mean + spread)
