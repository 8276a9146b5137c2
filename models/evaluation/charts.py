"""The pictures of a report, each an SVG element as text.

Figures are made without pyplot, so that nothing global is touched and no screen is needed. Fonts stay text:
a picture is a few kilobytes, and the page's reader can search in it.
"""

import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.evaluation.behaviour import BehaviourKind
from models.evaluation.scores import Bin, ClassScore, HeadScore
from models.evaluation.slices import SliceScore

__all__ = ["behaviour_chart", "class_chart", "confusion_chart", "reliability_chart", "slices_chart"]

INK, PALE, BLUE, ORANGE, GREEN, RED = "#1f2937", "#d1d5db", "#2563eb", "#ea580c", "#059669", "#dc2626"

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "moodwire",  # the same figures give the same bytes
    "font.family": "sans-serif",
    "font.sans-serif": ["Inter", "Segoe UI", "Helvetica Neue", "Arial", "DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": PALE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
}


def confusion_chart(one: HeadScore) -> str:
    """Rows of each right label by the label given, shaded by the share of the row."""
    names, counts = list(one.labels), np.array(one.confusion, float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 1.9 + 0.34 * len(names) if len(names) > 6 else 3.4

    def draw(axes: Axes) -> None:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 6 else 0)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="given", ylabel="right")
        axes.tick_params(length=0)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.55 else INK
                axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour, fontsize=8)

    return _svg(draw, size + 1.2, size)


def reliability_chart(bins: Sequence[Bin], error: float) -> str:
    """How often answers were right against how sure they were; the area of a dot is its number of rows."""
    largest = max(one.rows for one in bins)

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=PALE, linewidth=1)
        axes.plot([one.sure for one in bins], [one.right for one in bins], color=BLUE, linewidth=1)
        sizes = [8 + 160 * one.rows / largest for one in bins]
        axes.scatter([one.sure for one in bins], [one.right for one in bins], s=sizes, color=BLUE, alpha=0.75)
        least = min(0.95, *(one.sure for one in bins), *(one.right for one in bins)) - 0.05
        axes.set(xlim=(least, 1.02), ylim=(least, 1.02), xlabel="how sure", ylabel="share right")
        axes.set_title(f"calibration error {error:.3f}")

    return _svg(draw, 3.9, 3.4)


def class_chart(labels: Mapping[str, ClassScore]) -> str:
    """F1 of each label as a bar, with its precision and its recall."""
    names = [f"{name} ({one.rows:,})" for name, one in labels.items()]
    places = range(len(names))

    def draw(axes: Axes) -> None:
        axes.barh(places, [one.f1 for one in labels.values()], color="#bfdbfe", height=0.7, label="F1")
        axes.scatter([one.precision for one in labels.values()], places, s=16, color=BLUE, label="precision", zorder=3)
        axes.scatter([one.recall for one in labels.values()], places, s=16, color=ORANGE, label="recall", zorder=3)
        axes.set_yticks(places, names)
        axes.set_xlim(min(0.5, *(one.f1 for one in labels.values())), 1.0)
        _from_the_top(axes)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)

    return _svg(draw, 6.2, 1.0 + 0.27 * len(names))


def slices_chart(slices: Mapping[str, SliceScore], whole: float) -> str:
    """The accuracy of each slice with its 95 % interval, against that of the whole set."""
    places = range(len(slices))

    def draw(axes: Axes) -> None:
        axes.axvline(whole, color=PALE, linewidth=1)
        for place, one in zip(places, slices.values(), strict=True):
            colour = RED if one.high < whole else GREEN if one.low > whole else BLUE
            axes.plot([one.low, one.high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
            axes.scatter([one.accuracy], [place], color=colour, s=30, zorder=3)
        axes.set_yticks(places, [f"{name} ({one.rows:,})" for name, one in slices.items()])
        axes.set_xlabel("accuracy, 95 % interval; the line is the whole set")
        axes.set_ylim(-0.6, len(slices) - 0.4)
        _from_the_top(axes)

    return _svg(draw, 6.2, 0.9 + 0.3 * len(slices))


def behaviour_chart(kinds: Sequence[BehaviourKind]) -> str:
    """The share of tests passed, kind by kind."""
    places = range(len(kinds))

    def draw(axes: Axes) -> None:
        axes.barh(places, [1.0] * len(kinds), color="#f3f4f6", height=0.66)
        colours = [GREEN if one.rate >= 0.9 else BLUE if one.rate >= 0.7 else ORANGE for one in kinds]
        axes.barh(places, [one.rate for one in kinds], color=colours, height=0.66)
        for place, one in zip(places, kinds, strict=True):
            axes.text(1.015, place, f"{one.passed} of {one.tests}", va="center")
        axes.set_yticks(places, [one.name for one in kinds])
        axes.set(xlim=(0, 1.0), xticks=[])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        _from_the_top(axes)

    return _svg(draw, 6.2, 0.5 + 0.3 * len(kinds))


def _from_the_top(axes: Axes) -> None:
    axes.invert_yaxis()


def _svg(draw: Callable[[Axes], None], width: float, height: float) -> str:
    """Draws a figure of `width` by `height` inches and returns its SVG element, scaled to the page."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.add_subplot())
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _with_ids_of_its_own(re.sub(r"^.*?(?=<svg)", "", written.getvalue(), count=1, flags=re.DOTALL))


def _with_ids_of_its_own(svg: str) -> str:
    """Several pictures share a page, where equal ids would lend one picture's marks to another."""
    prefix = "p" + hashlib.blake2b(svg.encode(), digest_size=4).hexdigest()
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
