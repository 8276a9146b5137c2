"""The surge behind an alert as a PNG: hits over time as bars, what was expected as a line, no text from the news.

AlertEvent ──► History ──► bars ──► surge_png
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.clock import DAY_MS, HOUR_MS
from alerts.records import AlertEvent

__all__ = ["Bar", "History", "surge_png"]

_INK, _PALE, _CALM, _SURGE = "#1f2937", "#d1d5db", "#94a3b8", "#dc2626"
_SIZE_INCHES: Final = (6.4, 2.4)
_DOTS_PER_INCH: Final = 110


@dataclass(frozen=True, slots=True)
class Bar:
    """The hits of a series in [start_ms, start_ms + seconds), and all its items."""

    start_ms: int
    seconds: int
    hits: int
    total: int


History = Callable[[AlertEvent], Awaitable[Sequence[Bar]]]
"""The bars around an alert, oldest first; those without items may be left out."""


def surge_png(event: AlertEvent, bars: Sequence[Bar]) -> bytes:
    """Returns the picture; bars of the alert itself are red. Blocks for some 0.2 s: call it in a thread.

    Raises `ValueError` without bars.
    """
    if not bars:
        raise ValueError("there are no bars to draw")
    from matplotlib.figure import Figure  # a second of start-up that only e-mail needs
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    wide_days = bars[0].seconds * 1000 / DAY_MS
    starts = [bar.start_ms / DAY_MS for bar in bars]  # matplotlib's dates are days since 1970
    colours = [_SURGE if _is_part(bar, event) else _CALM for bar in bars]
    axes.bar(starts, [bar.hits for bar in bars], width=wide_days * 0.9, align="edge", color=colours)
    if event.detector != "share":
        expected = event.expected.rate * bars[0].seconds * 1000 / HOUR_MS
        axes.axhline(expected, color=_INK, linewidth=1, linestyle="--")
    axes.margins(x=0.01)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_PALE)
    axes.xaxis_date("UTC")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.tick_params(colors=_INK, labelsize=8)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": "moodwire"})
    return drawn.getvalue()


def _is_part(bar: Bar, event: AlertEvent) -> bool:
    """Whether the bar overlaps the alert, from the begin of its first window on."""
    begin = min(event.onset_ms, event.peak.at_ms - event.peak.seconds * 1000)
    return bar.start_ms + bar.seconds * 1000 > begin and bar.start_ms < event.updated_ms
