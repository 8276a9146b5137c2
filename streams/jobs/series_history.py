"""A series over time: what it counted in each bucket, and the band in which chance alone would leave it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from alerts import AlertConfig, kind_of
from alerts.bands import Band, band_of
from streams.archive.protocol import Archive
from streams.jobs.recount import Look, Watched, recount
from streams.wall_clock import DAY_MS

__all__ = ["BUCKETS_MS", "Band", "Bucket", "bucket_ms_for", "history_of"]

_MINUTE_MS = 60_000
BUCKETS_MS = tuple(minutes * _MINUTE_MS for minutes in (5, 15, 30, 60, 120, 180, 360, 720, 1440))
"""Lengths of buckets: a baseline looks back over one day at most."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Items of [start_ms, start_ms + length), copies left out; no band during the warm-up."""

    start_ms: int
    total: int
    hits: int
    band: Band | None

    @property
    def is_above(self) -> bool:
        """Whether there are more hits than the band allows."""
        return self.band is not None and self.hits > self.band.high


def bucket_ms_for(span_ms: int, most: int) -> int:
    """Returns the shortest bucket of which at most `most` cover the span; a day where none is long enough."""
    return next((length for length in BUCKETS_MS if span_ms <= length * most), DAY_MS)


async def history_of(
    archive: Archive,
    config: AlertConfig,
    watched: Watched,
    since_ms: int,
    until_ms: int,
    bucket_ms: int,
    *,
    partitions: int = 1,
    on_progress: Callable[[int], None] = lambda items: None,  # noqa: ARG005  # progress is optional
) -> list[Bucket]:
    """Returns the buckets that touch [since_ms, until_ms), oldest first; see `recount`.

    Counts and bands need a series that a rule watches. Raises `ValueError` for a
    bucket that is not of `BUCKETS_MS`.
    """
    if bucket_ms not in BUCKETS_MS:
        raise ValueError(f"{bucket_ms} ms is no length of a bucket")
    starts = range(since_ms // bucket_ms * bucket_ms, until_ms, bucket_ms)
    ends = [start_ms + bucket_ms for start_ms in starts]

    def band(look: Look) -> Band | None:
        return band_of(look.state, look.stream, kind_of(watched.series), look.tick_ms, bucket_ms, config)

    found = await recount(archive, config, watched, ends, band, partitions=partitions, on_progress=on_progress)
    total = Counter(seen_ms // bucket_ms * bucket_ms for seen_ms, _ in found.counted)
    hits = Counter(seen_ms // bucket_ms * bucket_ms for seen_ms, hit in found.counted if hit)
    pairs = zip(starts, found.looks, strict=True)
    return [Bucket(start_ms, total[start_ms], hits[start_ms], expected) for start_ms, expected in pairs]
