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
    heads = [f"another {foreign(head)} for {count:,} ({share * count:.1f} %)" for head, count in found.differs.items()]
    signals = [
        f"{foreign(signal)} {100 * found.hits_after[signal]:.1f} % after {100 * before:.1f} %"
        for signal, before in found.hits_before.items()
    ]
    console.print(
        f"[bold]{foreign(model)}[/] on {found.items:,} archived items: {', '.join(heads)}; {', '.join(signals)}",
        highlight=False,
        soft_wrap=True,
    )
    if not found.examples:
        return
    table = Table("head", "before", "after", "change", "title", title="where it differs most", title_justify="left")
    for one in found.examples[:_SHOWN]:
        change = "" if one.change is None else f"{one.change:+.2f}"
        table.add_row(*map(foreign, (one.head, one.before, one.after, change, one.title)))
    console.print(table)
