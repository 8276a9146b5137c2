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
from alerts.records import NEWS, AlertEvent, TopItem, one_line
from alerts.wording import Wording, time_text

__all__ = ["heading", "link", "notice_heading", "one_line", "render_notice", "render_plain", "render_rich", "summary"]

_HEADLINES: Final = 5
_COLOURS: Final = {"info": "cyan", "warning": "yellow", "critical": "red", "resolved": "green"}

Label = Callable[[str], str]


def heading(event: AlertEvent, wording: Wording | None = None) -> str:
    """`CRITICAL`, `WARNING`, `RESOLVED`, `STILL WARNING`, `NOW CRITICAL`, `WARNING AGAIN`."""
    wording = wording or Wording.of()
    word = one_line(wording.severity(event.severity))
    return wording.texts.headings.get(event.change, "{severity}").format(severity=word)


def summary(event: AlertEvent, wording: Wording | None = None) -> str:
    """`7 negative in 2 h, expected 0.3 (0 to 2), p 4e-05`; at the end, how long it lasted and its worst."""
    wording = wording or Wording.of()
    if event.change != "resolved":
        return _evidence(event, wording)
    lasted = wording.lasted(event.updated_ms - event.onset_ms)
    return wording.texts.resolved.format(lasted=lasted, worst=_worst(event, wording))


def _evidence(event: AlertEvent, wording: Wording) -> str:
    return wording.evidence(
        one_line(event.signal),
        event.detector,
        hits=event.observed.hits,
        total=event.observed.total,
        seconds=event.window.seconds,
        expected=event.expected.hits,
        interval=event.expected.interval,
        p_value=event.p_value,
    )


def _worst(event: AlertEvent, wording: Wording) -> str:
    peak = event.peak
    return wording.evidence(
        one_line(event.signal),
        event.detector,
        hits=peak.hits,
        total=peak.total,
        seconds=peak.seconds,
        expected=peak.expected,
        interval=peak.interval,
        p_value=peak.p_value,
    )


def render_plain(event: AlertEvent, *, width: int = 80, label: Label = str, wording: Wording | None = None) -> str:
    """Several lines, the last without a line break; an event without headlines takes two lines."""
    wording = wording or Wording.of()
    first = f"{time_text(event.updated_ms)}  {heading(event, wording)}  {one_line(label(event.series))}"
    lines = [first, *textwrap.wrap(summary(event, wording), width, initial_indent="  ", subsequent_indent="  ")]
    for item in _shown(event):
        title = f"{wording.day(item.seen_ms)}  {one_line(item.title) or one_line(item.id)}"
        lines += textwrap.wrap(title, width, initial_indent="  - ", subsequent_indent="    ")
        source = "  ".join(part for part in (_publisher(item.publisher), link(item.url)) if part)
        if source:
            lines.append(f"    {source}")
    return "\n".join(lines)


def render_rich(event: AlertEvent, *, label: Label = str, wording: Wording | None = None) -> RenderableType:
    """A framed alert, or a single line for an update and for the end of an episode."""
    wording = wording or Wording.of()
    colour = _COLOURS["resolved" if event.change == "resolved" else event.severity]
    title = Text.assemble((heading(event, wording), f"bold {colour}"), "  ", (one_line(label(event.series)), "bold"))
    if not _shown(event):
        when = Text(f"{time_text(event.updated_ms)}  ", style="dim")
        return Group(when + title, Text(f"  {summary(event, wording)}"))
    return Panel(
        Group(Text(summary(event, wording)), Text(), _headlines(event, wording)),
        title=title,
        title_align="left",
        subtitle=Text(time_text(event.updated_ms), style="dim"),
        subtitle_align="right",
        border_style=colour,
        padding=(0, 1),
    )


def render_notice(notice: Notice, wording: Wording | None = None) -> str:
    """Two lines: `2023-03-10 10:14 UTC  MOODWIRE IN TROUBLE  archive`, and what it is."""
    state = notice_heading(notice, wording)
    about = " ".join(part for part in (one_line(notice.reason), one_line(notice.subject)) if part)
    return f"{time_text(notice.updated_ms)}  {state}  {about}\n  {one_line(notice.detail)}"


def notice_heading(notice: Notice, wording: Wording | None = None) -> str:
    """`MOODWIRE IN TROUBLE`, or that it is well again."""
    notices = (wording or Wording.of()).texts.notices
    return notices["resolved" if notice.change == "resolved" else "opened"]


def _headlines(event: AlertEvent, wording: Wording) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(ratio=1)
    for item in _shown(event):
        address = link(item.url)
        title = Text(one_line(item.title) or one_line(item.id), style=Style(link=address or None))
        table.add_row(wording.day(item.seen_ms), title)
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


def _publisher(source: str) -> str:
    """The publisher's name; of one that is only known by its feed's address, the host."""
    try:
        host = urlsplit(source).hostname if link(source) else None
    except ValueError:  # looks like an address and is none
        host = None
    return one_line(host.removeprefix("www.") if host else source)


def link(url: str) -> str:
    """The link, if it is one for a browser and could not be taken for anything else."""
    plain = url.isprintable() and not any(char.isspace() for char in url)
    return url if plain and url.lower().startswith(("http://", "https://")) else ""
