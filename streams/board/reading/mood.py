"""How the stream does now: its newest item, and its mood over the last day."""

from __future__ import annotations

from collections.abc import Sequence

from streams.archive.protocol import Archive, Query, RateBucket
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
    """Returns the mood of the `hours` before `end_ms`, against those of the fourteen days before."""
    since_ms = end_ms - _PAST_DAYS * DAY_MS - hours * HOUR_MS
    return mood_of(await archive.rates(series, signal, since_ms, end_ms, HOUR_MS), signal, end_ms, hours)


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
