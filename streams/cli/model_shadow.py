"""The report of `moodwire model shadow --report`."""

from __future__ import annotations

from rich.table import Table

from streams.cli.output import console, foreign, print_json
from streams.lifecycle.shadow_report import ShadowReport

__all__ = ["show_report"]

_SHOWN = 10


def show_report(model: str, found: ShadowReport, *, json: bool) -> None:
    if json:
        print_json(found)
        return
    share = 100 / max(1, found.items)
    console.print(
        f"[bold]{foreign(model)}[/] on {found.items:,} archived items: "
        f"another sentiment for {found.sentiment_differs:,} ({share * found.sentiment_differs:.1f} %), "
        f"another topic for {found.topic_differs:,} ({share * found.topic_differs:.1f} %); "
        f"negative {100 * found.negative_after:.1f} % "
        f"after {100 * found.negative_before:.1f} %",
        highlight=False,
        soft_wrap=True,
    )
    if not found.examples:
        return
    table = Table("before", "after", "tone", "title", title="where it differs most", title_justify="left")
    for one in found.examples[:_SHOWN]:
        table.add_row(foreign(one.before), foreign(one.after), f"{one.change:+.2f}", foreign(one.title))
    console.print(table)
