"""What a kind of series looks like through the week: its rhythm, level, number of series and of tests.

    counts per hour of the week ──► shrink to weekday/weekend ──► shrink to the whole stream's rhythm ──► flat
                                          KindSnapshot, renewed every 6 hours of stream time

Counts come in whole series of a kind together, so even a young stream has a usable rhythm; each level
borrows from the coarser one below it in proportion to how little it has seen (an empirical-Bayes ratio of
counts, Gelman et al., BDA3, 2.7).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.clock import DAY_CELLS, HOUR_MS, WEEK_HOURS, fold_week
from alerts.config import AlertConfig
from alerts.sections import KindConfig

__all__ = ["KindCounts", "KindSnapshot", "snapshot"]

Array = NDArray[np.float64]

_CELL_EVENTS = 4.0  # pseudo-counts with which each level of the hierarchy is drawn to the coarser one
_HIT_EVENTS = 8.0
_WEEK_EVENTS = 10.0
_PRIOR_SERIES = 3.0  # the configured rate counts as so many series
_SHARE_ITEMS = 20.0
_FEWEST_TESTS = 50.0  # a week: below it a handful of mentions would pass for a large budget

_CELL_INDEX = np.concatenate((np.tile(np.arange(24), 5), np.tile(np.arange(24, DAY_CELLS), 2)))


@dataclass(frozen=True, slots=True)
class KindCounts:
    """Forgotten-to-today counts per hour of the week, shape (168,), and how many series were ever named."""

    hits: Array
    total: Array
    series: float


@dataclass(frozen=True, slots=True)
class KindSnapshot:
    """What is believed of a kind until the next renewal.

    `rhythm` has shape (168,) and mean 1 over the observed hours, `hours` is the same as a list, `days` (7)
    its sums; `hourly` is one series' expected hits per hour of rhythm 1; `share` that of hits among all items;
    `tests` per window: how many separate looks a week are taken at all series of the kind together.
    """

    rhythm: Array
    hours: list[float]
    days: Array
    hourly: float
    share: float
    tests: tuple[float, ...]


def snapshot(
    counts: KindCounts,
    stream_total: Array,
    exposure: Array,
    stream_exposure: Array,
    config: AlertConfig,
    kind: KindConfig,
) -> KindSnapshot:
    """Believes the counts as far as they go.

    `stream_total` and the exposures (hours), of the kind and of the whole stream, have shape (168,).
    """
    hours = float(exposure.sum())
    rhythm = _rhythm(counts, stream_total, exposure, stream_exposure)
    return KindSnapshot(
        rhythm=rhythm,
        hours=rhythm.tolist(),
        days=rhythm.reshape(7, 24).sum(axis=1),
        hourly=_hourly(counts, hours, config, kind),
        share=_share(counts, config),
        tests=_tests(counts, hours, config),
    )


def _rhythm(counts: KindCounts, stream_total: Array, exposure: Array, stream_exposure: Array) -> Array:
    """Relative rates per hour of the week, shape (168,)."""
    observed = fold_week(exposure)
    coarse = _shrunk(fold_week(stream_total), fold_week(stream_exposure), np.ones(DAY_CELLS), _CELL_EVENTS)
    items = _shrunk(fold_week(counts.total), observed, coarse, _CELL_EVENTS)
    hits = _shrunk(fold_week(counts.hits), observed, items, _HIT_EVENTS)
    fine = _shrunk(counts.hits, exposure, hits[_CELL_INDEX], _WEEK_EVENTS)
    weighed = float((fine * exposure).sum())
    return fine * (float(exposure.sum()) / weighed) if weighed > 0 else fine


def _shrunk(counts: Array, exposure: Array, prior: Array, events: float) -> Array:
    """The prior rhythm times the ratio of counts to its expectation, drawn to 1 by `events`."""
    expected = exposure * prior
    whole = float(expected.sum())
    if whole <= 0:
        return prior
    expected = expected * (float(counts.sum()) / whole)
    shrunk: Array = prior * (counts + events) / (expected + events)
    return shrunk


def _hourly(counts: KindCounts, hours: float, config: AlertConfig, kind: KindConfig) -> float:
    """Hits per hour that a series of this kind is expected to have before it was watched."""
    prior = kind.prior_hits_per_day or config.baseline.prior_hits_per_day
    pooled = float(counts.hits.sum()) / (hours + 1.0)
    return (pooled + _PRIOR_SERIES * prior / 24.0) / (counts.series + _PRIOR_SERIES)


def _share(counts: KindCounts, config: AlertConfig) -> float:
    hits = float(counts.hits.sum()) + _SHARE_ITEMS * config.baseline.prior_share
    return hits / (float(counts.total.sum()) + _SHARE_ITEMS)


def _tests(counts: KindCounts, hours: float, config: AlertConfig) -> tuple[float, ...]:
    """Separate looks a week, per window.

    A window is tested when a hit arrives, but two looks within one pane see nearly the same: what
    counts is the number of (series, pane) pairs with a hit, for a Poisson stream spread evenly
    over the series (an upper bound for any other spread).
    """
    weekly = float(counts.hits.sum()) / (hours + 1.0) * WEEK_HOURS
    series = max(counts.series, 1.0)

    def looks(pane_ms: int) -> float:
        panes = series * WEEK_HOURS * HOUR_MS / pane_ms
        return max(panes * -math.expm1(-weekly / panes), _FEWEST_TESTS)

    return tuple(looks(window.pane_ms) for window in config.windows)
