"""A brief as a page: one HTML file that fetches nothing, and its pictures as PNGs.

Brief ─► pictures (matplotlib) ─► template (jinja2, everything escaped) ─► Page

There is no script, the policy in the page forbids what is not in it, and style comes by class alone: a mail client that
drops the style sheet or the pictures leaves every number readable.
"""

from __future__ import annotations

import hashlib
import importlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from alerts.delivery.share_picture import Size, share_png
from alerts.wording import number_text
from streams.board.reading.spans import Span
from streams.brief.content import Brief, Trend
from streams.errors import MoodwireError
from streams.wall_clock import DAY_MS

__all__ = ["Page", "page_of"]

_FOLDER: Final = Path(__file__).parent
_TEMPLATE: Final = "brief.html.jinja"
_STYLE: Final = "brief.css"
_LARGE, _SMALL = Size(6.8, 2.6), Size(6.2, 1.7)
_STREAM: Final = "stream"
_LISTED: Final = 100
"""Alerts without a picture that are listed."""


@dataclass(frozen=True, slots=True)
class Page:
    """The HTML, and by a short name such as `alert-1` the PNGs that are in it."""

    html: str
    pictures: Mapping[str, bytes]


def page_of(brief: Brief) -> Page:
    """Returns the page; draws for some 0.3 s a picture. Raises `MoodwireError` without the extra `report`."""
    jinja2 = _required("jinja2")
    _required("matplotlib")
    pictures = _pictures(brief)
    style = (_FOLDER / _STYLE).read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"clock": _clock, "moment": _moment, "percent": _percent, "number": number_text}
    template = environment.from_string((_FOLDER / _TEMPLATE).read_text(encoding="utf-8"))
    html: str = template.render(
        brief=brief,
        title=f"{brief.namespace}: {span_text(brief.span)}",
        time=span_text(brief.span),
        summary=summary_of(brief),
        style=style,
        style_hash=b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        images={name: b64encode(png).decode() for name, png in pictures.items()},
        listed=_LISTED,
        odds=_odds,
        bar=max([1, *(one.total for one in brief.subjects)]),
    )
    return Page(html, pictures)


def _required(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MoodwireError(f"a brief needs {error.name}; install moodwire[report]") from error


def _pictures(brief: Brief) -> dict[str, bytes]:
    drawn = {_STREAM: brief.stream} if brief.total else {}
    drawn |= {f"alert-{place}": one.trend for place, one in enumerate(brief.alerts, 1) if one.trend is not None}
    return {name: _picture(trend, brief.signal, _LARGE if name == _STREAM else _SMALL) for name, trend in drawn.items()}


def _picture(trend: Trend, signal: str, size: Size) -> bytes:
    return share_png(trend.counted, signal=signal, windows=trend.windows, size=size)


def summary_of(brief: Brief) -> list[str]:
    """Returns the sentences that a reader in a hurry needs."""
    if not brief.total:
        return ["No items came in this time.", *_alert_sentences(brief)]
    first = ["Nothing unusual."] if brief.is_calm else []
    return [*first, *_alert_sentences(brief), _mood_sentence(brief), _volume_sentence(brief)]


def _alert_sentences(brief: Brief) -> list[str]:
    if not brief.alerts:
        return ["No alert was open."]
    counts = [f"{count} {what}" for what in ("opened", "worsened", "ended") if (count := brief.count(what))]
    still = len(brief.open_alerts)
    counts.append(f"{still or 'none'} {'is' if still == 1 else 'are'} open at the end")
    return [f"Alerts: {', '.join(counts)}."]


def _mood_sentence(brief: Brief) -> str:
    mood = brief.mood
    if mood is None or not mood.total:
        return "The mood is not known: no item was scored."
    share = f"{_percent(mood.share)} of the items are {brief.signal}"
    if not brief.mood_word or mood.low is None or mood.high is None:
        return f"{share}; there is not enough history to say what is usual."
    usual = f"{_percent(mood.low)} to {_percent(mood.high)}"
    return f"{share}, {brief.mood_word} the band of {usual}."


def _volume_sentence(brief: Brief) -> str:
    return f"{brief.total:,} items" + ("." if brief.usual is None else f", {brief.usual:,.0f} are usual.")


def span_text(span: Span) -> str:
    """`Monday, 10 March 2025`, or both ends of another time."""
    start = datetime.fromtimestamp(span.since_ms / 1000, UTC)
    if span.until_ms - span.since_ms == DAY_MS and span.since_ms % DAY_MS == 0:
        return f"{start:%A}, {start.day} {start:%B %Y}"
    end = datetime.fromtimestamp(span.until_ms / 1000, UTC)
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M")


def _moment(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at.day} {at:%b %H:%M}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 or not share else f"{100 * share:.1f} %"


def _odds(surprise: float) -> str:
    """`1 in 3,000`; beyond a million the exact figure is the model's, not the world's."""
    if surprise >= 6:
        return "under 1 in a million"
    digits = 10 ** int(surprise)
    return f"1 in {round(10**surprise / digits) * digits:,}"
