"""A series over time as a PNG: its share of hits with the band of what was expected, its volume below. No news text.

hours, oldest first ──► share_png ──► PNG of 640 points of width at most, drawn at twice that
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from alerts.clock import DAY_MS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Counted", "Size", "Window", "share_png"]

_INK, _PALE, _BAND, _LINE, _ABOVE, _ALERT = "#1f2937", "#d1d5db", "#dbe4ef", "#33557d", "#c2410c", "#fff1e0"
_DOTS_PER_INCH: Final = 200
_FEW_DAYS: Final = 2.1
_LEAST_TOP: Final = 0.1

Window = tuple[int, int]
"""[since_ms, until_ms) of an alert, to be shaded."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Items of [start_ms, start_ms + seconds), how many hit the signal, and how many were expected to (95 %)."""

    start_ms: int
    seconds: int
    total: int
    hits: int
    low: float | None = None
    high: float | None = None

    @property
    def share(self) -> float | None:
        """None without items."""
        return self.hits / self.total if self.total else None

    @property
    def band(self) -> tuple[float, float] | None:
        """The expected hits as shares; None without items or without a band."""
        if not self.total or self.low is None or self.high is None:
            return None
        return min(self.low / self.total, 1.0), min(self.high / self.total, 1.0)

    @property
    def is_above(self) -> bool:
        """Whether there are more hits than the band allows."""
        return self.high is not None and self.hits > self.high


@dataclass(frozen=True, slots=True)
class Size:
    """Inches."""

    width: float = 6.4
    height: float = 2.2


def share_png(
    counted: Sequence[Counted], *, signal: str, windows: Sequence[Window] = (), size: Size | None = None
) -> bytes:
    """Returns the picture; `signal` is the word for a hit. Blocks for some 0.3 s: call it in a thread.

    Raises `ValueError` without anything to draw.
    """
    if not counted:
        raise ValueError("there is nothing to draw")
    from matplotlib.figure import Figure  # a second of start-up that only pictures need

    size = size or Size()
    figure = Figure(figsize=(size.width, size.height), dpi=_DOTS_PER_INCH, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _draw_share(above, counted, signal)
    _draw_volume(below, counted)
    for axes in (above, below):
        for since_ms, until_ms in windows:
            axes.axvspan(since_ms / DAY_MS, until_ms / DAY_MS, color=_ALERT, linewidth=0, zorder=0)
    _draw_times(below, counted)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": "moodwire"})
    return drawn.getvalue()


def _draw_share(axes: Axes, counted: Sequence[Counted], signal: str) -> None:
    """The band is a step for each bucket; the line breaks where there are no items."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    for one in counted:
        if (band := one.band) is not None:
            axes.fill_between([_start(one), _end(one)], band[0], band[1], color=_BAND, linewidth=0, zorder=1)
    for left, right in pairwise(counted):
        if left.share is not None and right.share is not None:
            axes.plot([_middle(left), _middle(right)], [left.share, right.share], color=_LINE, linewidth=1.2, zorder=3)
    shown = [(one, one.share) for one in counted if one.share is not None]
    for is_above, colour, area in ((False, _LINE, 7), (True, _ABOVE, 22)):
        points = [(_middle(one), share) for one, share in shown if one.is_above is is_above]
        if points:
            at, shares = [one for one, _ in points], [share for _, share in points]
            axes.scatter(at, shares, s=area, color=colour, linewidth=0, zorder=4)
    top = max([_LEAST_TOP, *(share for _, share in shown), *(one.band[1] for one in counted if one.band)])
    axes.set_ylim(-0.02 * top, min(1.08 * top, 1.05))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _tidy(axes, signal)


def _draw_volume(axes: Axes, counted: Sequence[Counted]) -> None:
    from matplotlib.ticker import MaxNLocator

    wide = counted[0].seconds * 1000 / DAY_MS
    starts = [_start(one) for one in counted]
    axes.bar(starts, [one.total for one in counted], width=wide * 0.85, align="edge", color=_PALE, zorder=2)
    axes.bar(starts, [one.hits for one in counted], width=wide * 0.85, align="edge", color=_LINE, zorder=3)
    axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    _tidy(axes, "items")


def _draw_times(axes: Axes, counted: Sequence[Counted]) -> None:
    """Hours on a day or two, days beyond; matplotlib's dates are days since 1970."""
    from matplotlib.dates import AutoDateLocator, DateFormatter, HourLocator

    axes.xaxis_date("UTC")
    axes.set_xlim(_start(counted[0]), _end(counted[-1]))
    if _end(counted[-1]) - _start(counted[0]) <= _FEW_DAYS:
        axes.xaxis.set_major_locator(HourLocator(byhour=range(0, 24, 6), tz="UTC"))  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(DateFormatter("%-d %b\n%H:%M", tz="UTC"))  # type: ignore[no-untyped-call]
    else:
        axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=8, tz="UTC"))  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(DateFormatter("%-d %b", tz="UTC"))  # type: ignore[no-untyped-call]


def _tidy(axes: Axes, label: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_PALE)
    axes.tick_params(colors=_INK, labelsize=7, length=2, color=_PALE)
    axes.set_ylabel(label, fontsize=7, color=_INK, parse_math=False)


def _start(one: Counted) -> float:
    return one.start_ms / DAY_MS


def _middle(one: Counted) -> float:
    return (one.start_ms + one.seconds * 500) / DAY_MS


def _end(one: Counted) -> float:
    return (one.start_ms + one.seconds * 1000) / DAY_MS
