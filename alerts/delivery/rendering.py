"""An alert as text for people: what happened, to whom, compared with what, and the headlines behind it.

    render_plain   lines for logs, pipes and mail          render_rich   the same for a terminal, in a frame
    render_notice  what moodwire says about itself

Texts come from the news, so they are never markup here: control characters are dropped, brackets are
brackets, and only http(s) addresses become links.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.style import Style
from rich.table import Table
from rich.text import Text

from alerts.delivery.notice import Notice
from alerts.records import NEWS, AlertEvent, TopItem
from alerts.wording import day_text, evidence_text, time_text, window_text

__all__ = ["heading", "one_line", "render_notice", "render_plain", "render_rich", "summary"]

_HEADLINES: Final = 5
_COLOURS: Final = {"warning": "yellow", "critical": "red", "resolved": "green"}

Label = Callable[[str], str]


def heading(event: AlertEvent) -> str:
    """`CRITICAL`, `WARNING`, `RESOLVED`, `STILL WARNING`, `NOW CRITICAL`, `WARNING AGAIN`."""
    if event.change == "resolved":
        return "RESOLVED"
    word = one_line(event.severity).upper()
    told = {"ongoing": f"STILL {word}", "escalated": f"NOW {word}", "reopened": f"{word} AGAIN"}
    return told.get(event.change, word)


def summary(event: AlertEvent) -> str:
    """`7 negative in 2 h, expected 0.3 (0 to 2), p 4e-05`; at the end, how long it lasted and its worst."""
    if event.change == "resolved":
        minutes = (event.updated_ms - event.onset_ms) // 60_000
        lasted = window_text(minutes * 60) if minutes < 120 else window_text(minutes // 60 * 3600)
        peak = event.peak
        worst = evidence_text(
            event.rule, peak.negative, peak.total, peak.seconds, peak.expected, peak.interval, peak.p_value
        )
        return f"back to normal after {lasted}; at its worst {worst}"
    return evidence_text(
        event.rule,
        event.observed.negative,
        event.observed.total,
        event.window.seconds,
        event.expected.negative,
        event.expected.interval,
        event.p_value,
    )


def render_plain(event: AlertEvent, *, width: int = 80, label: Label = str) -> str:
    """Several lines, the last without a line break; an event that pages nobody takes two lines."""
    first = f"{time_text(event.updated_ms)}  {heading(event)}  {one_line(label(event.series))}"
    lines = [first, *textwrap.wrap(summary(event), width, initial_indent="  ", subsequent_indent="  ")]
    for item in _shown(event):
        title = f"{day_text(item.seen_ms)}  {one_line(item.title) or one_line(item.id)}"
        lines += textwrap.wrap(title, width, initial_indent="  - ", subsequent_indent="    ")
        source = "  ".join(part for part in (_publisher(item.publisher), _address(item.url)) if part)
        if source:
            lines.append(f"    {source}")
    return "\n".join(lines)


def render_rich(event: AlertEvent, *, label: Label = str) -> RenderableType:
    """A framed alert, or a single line for an update and for the end of an episode."""
    colour = _COLOURS["resolved" if event.change == "resolved" else event.severity]
    title = Text.assemble((heading(event), f"bold {colour}"), "  ", (one_line(label(event.series)), "bold"))
    if not _shown(event):
        when = Text(f"{time_text(event.updated_ms)}  ", style="dim")
        return Group(when + title, Text(f"  {summary(event)}"))
    return Panel(
        Group(Text(summary(event)), Text(), _headlines(event)),
        title=title,
        title_align="left",
        subtitle=Text(time_text(event.updated_ms), style="dim"),
        subtitle_align="right",
        border_style=colour,
        padding=(0, 1),
    )


def render_notice(notice: Notice) -> str:
    """Two lines: `2023-03-10 10:14 UTC  MOODWIRE IN TROUBLE  archive`, and what it is."""
    state = "MOODWIRE IS WELL AGAIN" if notice.change == "resolved" else "MOODWIRE IN TROUBLE"
    about = " ".join(part for part in (one_line(notice.reason), one_line(notice.subject)) if part)
    return f"{time_text(notice.updated_ms)}  {state}  {about}\n  {one_line(notice.detail)}"


def _headlines(event: AlertEvent) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(ratio=1)
    for item in _shown(event):
        address = _address(item.url)
        title = Text(one_line(item.title) or one_line(item.id), style=Style(link=address or None))
        table.add_row(day_text(item.seen_ms), title)
        source = Text("  ").join(
            Text(part, style=Style(dim=True, link=address or None), overflow="ellipsis", no_wrap=True)
            for part in (_publisher(item.publisher), address)
            if part
        )
        if source:
            source.no_wrap, source.overflow = True, "ellipsis"
            table.add_row("", source)
    return table


def _shown(event: AlertEvent) -> tuple[TopItem, ...]:
    """Headlines, newest first, where the event is news; none for an update or an end."""
    return event.top_items[:_HEADLINES] if event.change in NEWS else ()


def one_line(text: str) -> str:
    """One line without control, format and line-separating characters (escape sequences, bidi overrides)."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _publisher(source: str) -> str:
    """The publisher's name; of one that is only known by its feed's address, the host."""
    try:
        host = urlsplit(source).hostname if _address(source) else None
    except ValueError:  # looks like an address and is none
        host = None
    return one_line(host.removeprefix("www.") if host else source)


def _address(url: str) -> str:
    """The link, if it is one for a browser and could not be taken for anything else."""
    plain = url.isprintable() and not any(char.isspace() for char in url)
    return url if plain and url.lower().startswith(("http://", "https://")) else ""
