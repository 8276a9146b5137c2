"""What a series expects of itself: its own history, drawn towards its kind where it is thin.

    History + KindView ──► Expectation       level × rhythm, and how uncertain both are, for one hour
                             .hits(start, end)          expected hits in exactly this span
                             .dispersion(window, mean)  relative variance beyond Poisson at this length
                             .share(window)             Beta(alpha, beta) of the share of hits

Level: gamma posterior of a rate, the kind's rate counting as `prior_events` items. Rhythm: own counts per
cell against what level and kind's rhythm expect there, drawn to 1 by 5 items. Variance: mean + clumping ×
mean + days × mean², from the second factorial moments of quarters of an hour, hours and days. Share:
n(n-1)(share² + share (1-share) rho).
"""

from __future__ import annotations

from typing import Final

from alerts.clock import HOUR_MS
from alerts.config import AlertConfig
from alerts.history import History
from alerts.sections import Window
from alerts.stream import KindView

__all__ = ["Expectation"]

_RHYTHM_ITEMS: Final = 5.0
_CLUMP_EVENTS: Final = 5.0  # expected items at which the measured clumping weighs as much as the prior
_DAY_WEIGHT: Final = 4.0  # the same for days, in squared counts
_UNSEEN_HOUR: Final = 0.5  # relative variance of an hour of the day that was never observed …
_UNSEEN_DAY: Final = 0.15  # … and of a whole kind of day (a first weekend)
_PAIRS_WEIGHT: Final = 20.0
_PRIOR_RHO: Final = 0.02
_SHARE_KIND_ITEMS: Final = 10.0
_SHARE_LEVEL_ITEMS: Final = 20.0
_RHO_FLOOR: Final = 1e-3
_LONG_HOURS: Final = 12


class Expectation:
    """A series' beliefs for one hour of stream time (see the module's text)."""

    __slots__ = (
        "_alpha",
        "_behind",
        "_config",
        "_evenness",
        "_excess",
        "_factor",
        "_history",
        "_kept",
        "_level",
        "_shares",
        "view",
    )

    def __init__(self, history: History, view: KindView, config: AlertConfig) -> None:
        self.view = view
        self._history = history
        self._config = config
        self._factor = history.factor(view.day, config.forgetting)
        self._kept = self._exposure_kept()
        self._alpha = config.baseline.prior_events + self._factor * sum(history.hits.values())
        exposure = config.baseline.prior_events / view.hourly + self._kept * view.exposure_total
        self._level = self._alpha / exposure
        self._behind: list[float] = []
        self._shares: dict[int, tuple[float, float]] = {}
        self._evenness = self._measured_evenness()
        self._excess: tuple[float, float, float] | None = None

    def _exposure_kept(self) -> float:
        """The part of the expected exposure that no episode took away, in (0, 1]."""
        view, total = self.view, self.view.exposure_total
        if not self._history.left_out or total <= 0:
            return 1.0
        taken = sum((1.0 - self._cell_kept(cell)) * view.expected_hours[cell] for cell in self._history.left_out)
        return max(1.0 - taken / total, 1e-3)

    def _measured_evenness(self) -> float:
        """How evenly an hour's items fall within it: 1 evenly, towards 0 all at once (a feed that posts on the hour).

        Two items of an hour share its quarter with probability 1/4 when even. A part `f` of an hour is then
        expected to hold ``f ** evenness`` of its items: a batch may come in any part of it, so this errs to
        the quiet side.
        """
        pairs, together = self._history.hour_pairs * self._factor, self._history.quarter_pairs * self._factor
        shared = (together + 0.25 * _PAIRS_WEIGHT) / (pairs + _PAIRS_WEIGHT)
        return 1.0 - min(max((shared - 0.25) / 0.75, 0.0), 1.0)

    def _measured_excess(self) -> tuple[float, float, float]:
        """Variance beyond Poisson: per mean, at a quarter and at an hour; and per squared mean, of days."""
        history, view, prior = self._history, self.view, self._config.baseline
        events = self._level * view.exposure_total * self._kept
        squared = self._level * self._level * self._kept
        hours, days = squared * view.hour_squares, squared * view.day_squares

        def clump(pairs: float, expected: float) -> float:
            excess = self._factor * pairs - expected + _CLUMP_EVENTS * prior.clumping
            return max(excess, 0.0) / (events + _CLUMP_EVENTS)

        hour = clump(history.hour_pairs, hours)
        quarter = max(clump(history.quarter_pairs, hours / 4.0), hour / 4.0)
        block_day, k, _ = history.block
        block = k * (k - 1) * self._config.forgetting ** (view.day - block_day) if k > 1 else 0.0
        excess = self._factor * history.day_pairs + block - days - hour * events
        day = max(excess + _DAY_WEIGHT * prior.day_dispersion, 0.0) / (days + _DAY_WEIGHT)
        return quarter, hour, day

    def _extend(self, hours: int) -> list[float]:
        """Expected hits of the view's hour and so many whole hours before it, newest first."""
        behind, level = self._behind, self._level
        own_of, left_out, factor = self._history.hits, self._history.left_out, self._factor
        for rhythm, cell, expected in self.view.behind[len(behind) : hours + 1]:
            own = own_of[cell] * factor if cell in own_of else 0.0
            if cell in left_out:
                expected *= self._cell_kept(cell)
            behind.append(level * rhythm * (own + _RHYTHM_ITEMS) / (level * expected + _RHYTHM_ITEMS))
        return behind

    def _cell_kept(self, cell: int) -> float:
        """The part of a cell's exposure that no episode took away."""
        exposure = self.view.exposure[cell]
        left_out = self._factor * self._history.left_out.get(cell, 0.0)
        return max(1.0 - left_out / exposure, 0.0) if exposure > 0 else 0.0

    def hits(self, start_ms: int, end_ms: int) -> float:
        """Expected hits in [start, end): `end` lies in the view's hour, `start` in it or before."""
        hour = self.view.hour
        back = hour - start_ms // HOUR_MS
        behind = self._behind
        if len(behind) <= back:
            behind = self._extend(back)
        even = self._evenness
        if back == 0:
            return behind[0] * float(((end_ms - start_ms) / HOUR_MS) ** even)
        current = behind[0] * float(((end_ms - hour * HOUR_MS) / HOUR_MS) ** even)
        first = behind[back] * float((((hour - back + 1) * HOUR_MS - start_ms) / HOUR_MS) ** even)
        return current + sum(behind[1:back]) + first

    def dispersion(self, window: Window, mean: float) -> float:
        """The count's predictive variance beyond Poisson, relative to its squared mean.

        Clumps add a multiple of the mean; days that differ as a whole, and the doubts about level and rhythm,
        a multiple of its square. Doubts about single hours average out over a long window.
        """
        if self._excess is None:
            self._excess = self._measured_excess()
        quarter, hour, days = self._excess
        clumps = (quarter if window.length_ms < HOUR_MS else hour) / max(mean, 1e-12)
        hours = max(window.length_ms / HOUR_MS, 1.0)
        seen = 1.0 + self.view.exposure[self.view.behind[0][1]]
        rhythm = (_UNSEEN_DAY + _UNSEEN_HOUR / hours) / seen
        level = 1.0 / self._alpha
        return clumps + level + (1.0 + level) * (days + rhythm)

    def share(self, window: Window) -> tuple[float, float]:
        """Returns (alpha, beta) of the share of hits among the items in this window."""
        found = self._shares.get(window.length_ms)
        if found is None:
            found = self._shares[window.length_ms] = self._new_share(window)
        return found

    def _new_share(self, window: Window) -> tuple[float, float]:
        history, factor = self._history, self._factor
        hits = factor * sum(history.hits.values())
        total = factor * sum(history.total.values())
        share = (hits + _SHARE_KIND_ITEMS * self.view.share) / (total + _SHARE_KIND_ITEMS)
        hours = -(-window.length_ms // HOUR_MS)
        if hours < _LONG_HOURS:
            cells = {cell for _, cell, _ in self.view.behind[: hours + 1]}
            hits = factor * sum(history.hits.get(cell, 0.0) for cell in sorted(cells))
            total = factor * sum(history.total.get(cell, 0.0) for cell in sorted(cells))
            share = (hits + _SHARE_LEVEL_ITEMS * share) / (total + _SHARE_LEVEL_ITEMS)
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
