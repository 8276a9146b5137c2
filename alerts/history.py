"""What a series remembers of its past: counts by hour of the day, second moments, and what episodes left out.

    Sight (the last 24 hours) ──(an hour leaves it)──► History      unless an episode claims the hour

The second moments are sums of k(k-1) over quarters of an hour, hours and days: empty ones add nothing, so
they need no record, and E[k(k-1)] tells how far counts are from Poisson.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from alerts.clock import day_cell
from alerts.config import AlertConfig

__all__ = ["HIT", "TOTAL_MASK", "History", "HistoryRow", "Sight"]

HIT: Final = 1 << 32
"""A packed count holds the hits above this bit and all items below it."""

TOTAL_MASK: Final = HIT - 1
_REBASE_DAYS: Final = 300  # with the default half-life a weight of 3 million


class HistoryRow(msgspec.Struct, array_like=True):
    """A packed `History`."""

    day: int = 0
    hits: dict[int, float] = {}
    total: dict[int, float] = {}
    left_out: dict[int, float] = {}
    quarter_pairs: float = 0.0
    hour_pairs: float = 0.0
    hour_item_pairs: float = 0.0
    day_pairs: float = 0.0
    day_item_pairs: float = 0.0
    block: tuple[int, int, int] = (0, 0, 0)
    settled_hour: int = 0
    spans: list[tuple[int, int]] = []


@dataclass(slots=True)
class Sight:
    """The hours that are still in sight: hour to packed count, and quarter of an hour to hits."""

    hours: dict[int, int] = field(default_factory=dict)
    quarters: dict[int, int] = field(default_factory=dict)

    def take(self, hour: int) -> tuple[int, int, int]:
        """Removes an hour; returns its (hits, total) items and the sum of k(k-1) over its quarters."""
        packed = self.hours.pop(hour, 0)
        if packed < HIT:
            return 0, packed, 0
        pairs = 0
        for quarter in range(4 * hour, 4 * hour + 4):
            k = self.quarters.pop(quarter, 0)
            pairs += k * (k - 1)
        return packed >> 32, packed & TOTAL_MASK, pairs


@dataclass(slots=True)
class History:
    """Counts that have left the horizon, in units of the reference day `day`: see `factor` for today's.

    `hits` and `total` count items per day cell; `left_out` the hours that episodes took from each cell.
    `hour_pairs` sums k(k-1) of the hits of an hour, `hour_item_pairs` n(n-1) of all items;
    `day_…` the same of whole days, `quarter_pairs` of quarters of an hour. `block` is the day being summed
    (day, k, n). `spans` are the hours [from, to) of episodes that may still be ahead of `settled_hour`;
    `to` is 0 while the episode is open.
    """

    day: int = 0
    hits: dict[int, float] = field(default_factory=dict)
    total: dict[int, float] = field(default_factory=dict)
    left_out: dict[int, float] = field(default_factory=dict)
    quarter_pairs: float = 0.0
    hour_pairs: float = 0.0
    hour_item_pairs: float = 0.0
    day_pairs: float = 0.0
    day_item_pairs: float = 0.0
    block: tuple[int, int, int] = (0, 0, 0)
    settled_hour: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)

    def row(self) -> HistoryRow:
        return HistoryRow(
            self.day,
            self.hits,
            self.total,
            self.left_out,
            self.quarter_pairs,
            self.hour_pairs,
            self.hour_item_pairs,
            self.day_pairs,
            self.day_item_pairs,
            self.block,
            self.settled_hour,
            self.spans,
        )

    @classmethod
    def from_row(cls, row: HistoryRow) -> History:
        return cls(*(getattr(row, name) for name in row.__struct_fields__))

    def factor(self, today: int, forgetting: float) -> float:
        """Multiply any sum by this for its weight today."""
        return float(forgetting ** (today - self.day)) if self.day else 1.0

    def open_span(self, from_hour: int) -> None:
        """An episode began: hours from here on are left out, until it ends or has become normal."""
        self.spans.append((from_hour, 0))

    def close_span(self, to_hour: int) -> None:
        """The oldest open episode ended; `to_hour` is the first hour that counts again."""
        for at, (start, end) in enumerate(self.spans):
            if end == 0:
                self.spans[at] = (start, to_hour)
                return

    def settle(self, sight: Sight, before_hour: int, config: AlertConfig) -> None:
        """Takes the hours before `before_hour` out of sight, oldest first."""
        if self.spans:
            self._settle_episodes(sight, before_hour, config)
        self._drain(sight, before_hour, config.forgetting)
        self.settled_hour = before_hour

    def _drain(self, sight: Sight, before_hour: int, forgetting: float) -> None:
        while sight.hours:
            hour = next(iter(sight.hours))
            if hour >= before_hour:
                return
            self._count(hour, sight, forgetting)

    def _settle_episodes(self, sight: Sight, before_hour: int, config: AlertConfig) -> None:
        """As `settle`, hour by hour: an episode's hour is dropped with its items and its exposure."""
        longest = round(config.baseline.exclude_days * 24)
        ends = [(start, min(end or before_hour, start + longest)) for start, end in self.spans]
        first = max(self.settled_hour, min(start for start, _ in ends))
        self._drain(sight, min(first, before_hour), config.forgetting)
        for hour in range(first, min(before_hour, max(end for _, end in ends))):
            if any(start <= hour < end for start, end in ends):
                sight.take(hour)
                cell = day_cell(hour)
                weight = self._weight(hour // 24, config.forgetting)
                self.left_out[cell] = self.left_out.get(cell, 0.0) + weight
            elif hour in sight.hours:
                self._count(hour, sight, config.forgetting)
        self.spans = [
            span for span, (_, end) in zip(self.spans, ends, strict=True) if span[1] == 0 or end > before_hour
        ]

    def _weight(self, day: int, forgetting: float) -> float:
        """What one item of that day weighs, in units of the reference day.

        Younger days weigh more than 1, so that nothing old needs to be touched when a day passes; far from the
        reference day everything is brought to a new one, lest the weights grow without bound.
        """
        if self.day == 0:
            self.day = day
        elif day - self.day > _REBASE_DAYS:
            self._rebase(day, forgetting)
        return float(forgetting ** (self.day - day))

    def _rebase(self, day: int, forgetting: float) -> None:
        factor = forgetting ** (day - self.day)
        self.day = day
        for cells in (self.hits, self.total, self.left_out):
            for cell in cells:
                cells[cell] *= factor
        self.quarter_pairs *= factor
        self.hour_pairs *= factor
        self.hour_item_pairs *= factor
        self.day_pairs *= factor
        self.day_item_pairs *= factor

    def _count(self, hour: int, sight: Sight, forgetting: float) -> None:
        day, cell = hour // 24, day_cell(hour)
        weight = self._weight(day, forgetting)
        hits, total, quarter_pairs = sight.take(hour)
        self.total[cell] = self.total.get(cell, 0.0) + weight * total
        if hits:
            self.hits[cell] = self.hits.get(cell, 0.0) + weight * hits
        if total > 1:
            self.quarter_pairs += weight * quarter_pairs
            self.hour_pairs += weight * hits * (hits - 1)
            self.hour_item_pairs += weight * total * (total - 1)
        block_day, k, n = self.block
        if block_day == day:
            self.block = (day, k + hits, n + total)
        else:
            if n > 1:
                weight = self._weight(block_day, forgetting)
                self.day_pairs += weight * k * (k - 1)
                self.day_item_pairs += weight * n * (n - 1)
            self.block = (day, hits, total)
