"""The band in which chance alone leaves the hits of a span: for one span, and for several that are added up.

SeriesState + StreamState at a tick ──► band_of ──► Band(expected, excess, low, high)
expected and excess of many hours, added up ──► band_from ──► Band
"""

from __future__ import annotations

from dataclasses import dataclass

from alerts.clock import HOUR_MS
from alerts.config import AlertConfig
from alerts.detectors import size_from_dispersion, volume_interval, volume_tail
from alerts.rules import COVERAGE
from alerts.sections import Window
from alerts.series import SeriesState
from alerts.stream import StreamState

__all__ = ["BUSY_ITEMS", "Band", "band_from", "band_of", "hour_due", "tail_of"]

BUSY_ITEMS = 24
"""A series with so many items in 24 hours, one an hour, is reported on for hours without any too."""


@dataclass(frozen=True, slots=True)
class Band:
    """What the baseline expects of a span: the mean number of hits, and the central 95 % interval.

    `excess` is the standard deviation beyond that of a Poisson count, in hits.
    """

    expected: float
    low: int
    high: int
    excess: float = 0.0


def band_of(
    state: SeriesState, stream: StreamState, kind: str, tick_ms: int, length_ms: int, config: AlertConfig
) -> Band | None:
    """Returns the band of [tick_ms - length_ms, tick_ms); None during the warm-up and for kinds without a baseline.

    `state` must have closed `tick_ms`, or an earlier tick of the same hour; `length_ms` is a day at most.
    """
    started_ms = stream.start_of(kind)
    if kind not in config.kinds or not started_ms or tick_ms - started_ms < config.warm_up_ms:
        return None
    expectation = state.expectation_at(stream.view(kind, tick_ms, config), config)
    mean = expectation.hits(tick_ms - length_ms, tick_ms)
    dispersion = expectation.dispersion(Window(length_ms, length_ms, 1), mean)
    interval = volume_interval(mean, size_from_dispersion(dispersion), COVERAGE)
    return Band(mean, interval.low, interval.high, mean * dispersion**0.5)


def band_from(expected: float, excess: float) -> Band:
    """Returns the band of spans whose means and excesses are added up.

    Days that differ as a whole make the spans' excesses go together, so they are added and not their squares: the
    band errs to the wide side.
    """
    interval = volume_interval(expected, _size(expected, excess), COVERAGE)
    return Band(expected, interval.low, interval.high, excess)


def tail_of(hits: int, expected: float, excess: float) -> float:
    """Returns the probability of at least so many hits, by chance alone."""
    return volume_tail(hits, expected, _size(expected, excess))


def _size(expected: float, excess: float) -> float:
    return size_from_dispersion((excess / expected) ** 2 if expected > 0 else 0.0)


def hour_due(state: SeriesState) -> int | None:
    """Returns the end of the hour that is to be reported once it is over; None while the series is silent.

    It follows from the last tick that was closed for the series, whoever asks and whenever.
    """
    hour = state.tick_ms // HOUR_MS
    if hour in state.sight.hours or state.horizon_items() >= BUSY_ITEMS:
        return (hour + 1) * HOUR_MS
    return None
