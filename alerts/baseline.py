"""What a series expects of itself: its own history, drawn towards its kind where it is thin.

    History      counts per hour of the day (weekday, weekend), forgetting; second moments; what episodes
    left out
      + KindView ──► Expectation      level × rhythm, and how uncertain both are, for one hour of stream time
                        .negatives(start, end)   expected negative items in exactly this span
                        .dispersion(window)      relative variance beyond Poisson at this length
                        .share(window)           Beta(alpha, beta) of the negative part

Level: gamma posterior of a rate, the kind's rate counting as `prior_events` items. Rhythm: own counts per
cell against what level and kind's rhythm expect there, drawn to 1 by 5 items. Dispersion: the second
factorial moment, for which empty hours need no record: E[k(k-1)] = mean² (1 + dispersion) for counts,
n(n-1)(share² + share (1-share) rho) for shares.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from alerts.clock import DAY_MS, HOUR_MS, day_cell, week_hour
from alerts.config import AlertConfig, Window
from alerts.stream import KindView

__all__ = ["Expectation", "History", "HistoryRow"]

_TOTAL_MASK: Final = (1 << 32) - 1
_RHYTHM_ITEMS: Final = 5.0
_MOMENT_WEIGHT: Final = (
    4.0  # squared expected counts at which the measured dispersion equals the prior in weight
)
_UNSEEN_HOUR: Final = 0.5  # relative variance of an hour of the day that was never observed …
_UNSEEN_DAY: Final = 0.15  # … and of a whole kind of day (a first weekend)
_PAIRS_WEIGHT: Final = 20.0
_PRIOR_RHO: Final = 0.02
_SHARE_KIND_ITEMS: Final = 10.0
_SHARE_LEVEL_ITEMS: Final = 20.0
_RHO_FLOOR: Final = 1e-3
_LONG_HOURS: Final = 12


class HistoryRow(msgspec.Struct, array_like=True):
    """A packed `History`."""

    day: int = 0
    negative: dict[int, float] = {}
    total: dict[int, float] = {}
    left_out: dict[int, float] = {}
    hour_pairs: float = 0.0
    hour_item_pairs: float = 0.0
    day_pairs: float = 0.0
    day_item_pairs: float = 0.0
    block: tuple[int, int, int] = (0, 0, 0)
    settled_hour: int = 0
    spans: list[tuple[int, int]] = []


@dataclass(slots=True)
class History:
    """Counts that have left the horizon, weighed to `day`: older days are forgotten by their factor.

    `negative` and `total` count items per day cell; `left_out` the hours that episodes took from each cell.
    `hour_pairs` sums k(k-1) of the negative items of an hour, `hour_item_pairs` n(n-1) of all items;
    `day_…` the same of whole days. `block` is the day being summed (day, k, n). `spans` are the hours
    [from, to) of episodes that may still be ahead of `settled_hour`; `to` is 0 while the episode is open.
    """

    day: int = 0
    negative: dict[int, float] = field(default_factory=dict)
    total: dict[int, float] = field(default_factory=dict)
    left_out: dict[int, float] = field(default_factory=dict)
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
            self.negative,
            self.total,
            self.left_out,
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

    def open_span(self, from_hour: int) -> None:
        """An episode began: hours from here on are left out, until it ends or has become normal."""
        self.spans.append((from_hour, 0))

    def close_span(self, to_hour: int) -> None:
        """The oldest open episode ended; `to_hour` is the first hour that counts again."""
        for at, (start, end) in enumerate(self.spans):
            if end == 0:
                self.spans[at] = (start, to_hour)
                return

    def settle(self, horizon: dict[int, int], before_hour: int, config: AlertConfig) -> None:
        """Takes the hours before `before_hour` out of `horizon` (hour to packed count), oldest first."""
        if self.spans:
            self._settle_episodes(horizon, before_hour, config)
        self._drain(horizon, before_hour, config)
        self.settled_hour = before_hour

    def _drain(self, horizon: dict[int, int], before_hour: int, config: AlertConfig) -> None:
        while horizon:
            hour = next(iter(horizon))
            if hour >= before_hour:
                return
            self._count(hour, horizon.pop(hour), config.forgetting)

    def _settle_episodes(self, horizon: dict[int, int], before_hour: int, config: AlertConfig) -> None:
        """As `settle`, hour by hour: an episode's hour is dropped with its items and its exposure."""
        longest = round(config.baseline.exclude_days * 24)
        ends = [(start, min(end or before_hour, start + longest)) for start, end in self.spans]
        first = max(self.settled_hour, min(start for start, _ in ends))
        self._drain(horizon, min(first, before_hour), config)
        for hour in range(first, min(before_hour, max(end for _, end in ends))):
            if any(start <= hour < end for start, end in ends):
                horizon.pop(hour, None)
                self._advance(hour // 24, config.forgetting)
                cell = day_cell(hour)
                self.left_out[cell] = self.left_out.get(cell, 0.0) + 1.0
            elif hour in horizon:
                self._count(hour, horizon.pop(hour), config.forgetting)
        self.spans = [
            span for span, (_, end) in zip(self.spans, ends, strict=True) if span[1] == 0 or end > before_hour
        ]

    def _advance(self, day: int, forgetting: float) -> None:
        if day <= self.day:
            return
        factor = forgetting ** (day - self.day)
        self.day = day
        for cells in (self.negative, self.total, self.left_out):
            for cell in cells:
                cells[cell] *= factor
        self.hour_pairs *= factor
        self.hour_item_pairs *= factor
        self.day_pairs *= factor
        self.day_item_pairs *= factor

    def _count(self, hour: int, packed: int, forgetting: float) -> None:
        day = hour // 24
        if day > self.day:
            self._advance(day, forgetting)
        negative, total = packed >> 32, packed & _TOTAL_MASK
        cell = day_cell(hour)
        self.total[cell] = self.total.get(cell, 0.0) + total
        if negative:
            self.negative[cell] = self.negative.get(cell, 0.0) + negative
        if total > 1:
            self.hour_pairs += negative * (negative - 1)
            self.hour_item_pairs += total * (total - 1)
        block_day, k, n = self.block
        if block_day == day:
            self.block = (day, k + negative, n + total)
        else:
            self.day_pairs += k * (k - 1)
            self.day_item_pairs += n * (n - 1)
            self.block = (day, negative, total)


class Expectation:
    """A series' beliefs for one hour of stream time (see the module's text)."""

    __slots__ = (
        "_alpha",
        "_behind",
        "_config",
        "_day_dispersion",
        "_factor",
        "_history",
        "_hour_dispersion",
        "_kept",
        "_level",
        "_shares",
        "view",
    )

    def __init__(self, history: History, view: KindView, config: AlertConfig) -> None:
        self.view = view
        self._history = history
        self._config = config
        self._factor = config.forgetting ** (view.day - history.day) if history.day else 1.0
        self._kept = self._exposure_kept()
        self._alpha = config.baseline.prior_events + self._factor * sum(history.negative.values())
        exposure = config.baseline.prior_events / view.hourly + self._kept * view.exposure_total
        self._level = self._alpha / exposure
        self._behind: list[float] = [self.rate(view.hour)]
        self._shares: dict[int, tuple[float, float]] = {}
        self._hour_dispersion = self._measured(
            history.hour_pairs, view.hour_squares, config.baseline.hour_dispersion
        )
        k = history.block[1]
        self._day_dispersion = self._measured(
            history.day_pairs + k * (k - 1), view.day_squares, config.baseline.day_dispersion
        )

    def _exposure_kept(self) -> float:
        """The part of the expected exposure that no episode took away, in (0, 1]."""
        view, total = self.view, self.view.exposure_total
        if not self._history.left_out or total <= 0:
            return 1.0
        taken = 0.0
        for cell, hours in self._history.left_out.items():
            if view.exposure[cell] > 0:
                part = min(self._factor * hours / view.exposure[cell], 1.0)
                taken += part * view.expected_hours[cell]
        return max(1.0 - taken / total, 1e-3)

    def _measured(self, pairs: float, squares: float, prior: float) -> float:
        """Relative variance beyond Poisson from the second factorial moment, drawn to the prior."""
        expected = self._level * self._level * squares * self._kept
        excess = self._factor * pairs - expected + _MOMENT_WEIGHT * prior
        return max(excess, 0.0) / (expected + _MOMENT_WEIGHT)

    def rate(self, hour: int) -> float:
        """Expected negative items in one whole hour."""
        view, cell = self.view, day_cell(hour)
        own = self._factor * self._history.negative.get(cell, 0.0)
        left_out = self._factor * self._history.left_out.get(cell, 0.0)
        exposure = view.exposure[cell]
        kept = max(1.0 - left_out / exposure, 0.0) if exposure > 0 else 0.0
        expected = self._level * view.expected_hours[cell] * kept
        return self._level * view.rhythm[week_hour(hour)] * (own + _RHYTHM_ITEMS) / (expected + _RHYTHM_ITEMS)

    def negatives(self, start_ms: int, end_ms: int) -> float:
        """Expected negative items in [start, end): `end` lies in the view's hour, `start` in it or before."""
        hour = self.view.hour
        back = hour - start_ms // HOUR_MS
        behind = self._behind
        if back == 0:
            return behind[0] * (end_ms - start_ms) / HOUR_MS
        while len(behind) <= back:
            behind.append(self.rate(hour - len(behind)))
        current = behind[0] * (end_ms - hour * HOUR_MS) / HOUR_MS
        first = behind[back] * ((hour - back + 1) * HOUR_MS - start_ms) / HOUR_MS
        return current + sum(behind[1:back]) + first

    def dispersion(self, window: Window) -> float:
        """The count's predictive variance beyond Poisson, relative to its squared mean, at this length.

        Clumps make the variance a multiple of the mean at every length (so it grows, relatively, as
        1/length below an hour); days that differ as a whole set a floor. To that come the doubts about the
        level and the rhythm.
        """
        clumps = self._hour_dispersion * HOUR_MS / window.length_ms
        measured = max(clumps, self._day_dispersion) if window.length_ms < DAY_MS else self._day_dispersion
        level = 1.0 / self._alpha
        hours = max(window.length_ms / HOUR_MS, 1.0)
        rhythm = (_UNSEEN_DAY + _UNSEEN_HOUR / hours) / (1.0 + self.view.exposure[day_cell(self.view.hour)])
        return level + (1.0 + level) * (measured + rhythm)

    def share(self, window: Window) -> tuple[float, float]:
        """(alpha, beta) of the negative part of the items in this window."""
        found = self._shares.get(window.length_ms)
        if found is None:
            found = self._shares[window.length_ms] = self._new_share(window)
        return found

    def _new_share(self, window: Window) -> tuple[float, float]:
        history, factor = self._history, self._factor
        negative = factor * sum(history.negative.values())
        total = factor * sum(history.total.values())
        share = (negative + _SHARE_KIND_ITEMS * self.view.share) / (total + _SHARE_KIND_ITEMS)
        hours = -(-window.length_ms // HOUR_MS)
        if hours < _LONG_HOURS:
            cells = {day_cell(self.view.hour - back) for back in range(hours + 1)}
            negative = factor * sum(history.negative.get(cell, 0.0) for cell in sorted(cells))
            total = factor * sum(history.total.get(cell, 0.0) for cell in sorted(cells))
            share = (negative + _SHARE_LEVEL_ITEMS * share) / (total + _SHARE_LEVEL_ITEMS)
            rho = self._rho(history.hour_pairs, history.hour_item_pairs, share)
        else:
            rho = self._rho(history.day_pairs, history.day_item_pairs, share)
        doubt = rho + 1.0 / (total + _SHARE_LEVEL_ITEMS + 1.0)
        precision = 1.0 / min(doubt, 0.9) - 1.0
        return share * precision, (1.0 - share) * precision

    def _rho(self, pairs: float, item_pairs: float, share: float) -> float:
        """How alike two items of one hour (or day) are beyond the share: the beta-binomial's correlation."""
        spread = share * (1.0 - share)
        excess = self._factor * (pairs - share * share * item_pairs)
        pull = _PAIRS_WEIGHT
        rho = (excess + pull * _PRIOR_RHO * spread) / (spread * (self._factor * item_pairs + pull))
        return min(max(rho, _RHO_FLOOR), 0.5)
