"""`moodwire rejects list|retry`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

import typer

from streams.cli.options import FieldMapOption, JsonOption, NamespaceOption
from streams.cli.output import console, counted, foreign, print_json, utc
from streams.existing import open_existing
from streams.feeds.fieldmap import OF_THE_MAP, field_map_of
from streams.feeds.rejects import RejectRecord
from streams.jobs.retry import read_rejects, retry_rejects
from streams.settings import Settings, load_settings
from streams.wall_clock import wall_clock_ms

app = typer.Typer(no_args_is_help=True, add_completion=False)

_SHOWN = 50

ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only those with this reason.")]


@app.command("list")
def list_rejects(
    namespace: NamespaceOption = None,
    reason: ReasonOption = None,
    limit: Annotated[int | None, typer.Option(help="Number of rows; by default 50, with --json all.", min=1)] = None,
    json: JsonOption = False,
) -> None:
    """List parked records, the oldest first: reason, origin, detail, and how the record begins."""
    settings = load_settings(namespace=namespace)
    with open_existing(settings) as broker:
        rows = [row for row in read_rejects(broker, settings.topics) if reason in (None, row.reason)]
    if json:
        for row in rows[:limit]:
            print_json(row)
        return
    if not rows:
        console.print(f"Nothing is parked in [bold]{settings.namespace}[/].", highlight=False)
        return
    show_rows(rows[: limit or _SHOWN])
    counts = foreign(counted(Counter(row.reason for row in rows)))
    console.print(f"{len(rows)} parked: {counts}. Send them again with [bold]moodwire rejects retry[/].")


def show_rows(rows: Iterable[RejectRecord]) -> None:
    """Three lines a record: why and where, the detail, and how it begins."""
    for row in rows:
        start = row.raw_bytes()[:120].decode("utf-8", "replace")
        console.print(
            f"[bold]{foreign(row.reason)}[/]  {foreign(row.id)}  {utc(row.at_ms)}",
            highlight=False,
            soft_wrap=True,
        )
        console.print(f"  {foreign(row.detail)}", highlight=False, soft_wrap=True)
        console.print(f"  [dim]{foreign(start)}[/]", highlight=False, no_wrap=True, overflow="ellipsis")


@app.command("retry")
def retry(
    namespace: NamespaceOption = None,
    reason: ReasonOption = None,
    field_map: FieldMapOption = None,
    json: JsonOption = False,
) -> None:
    """Send the parked records again that can be read now. An item keeps the time at which it was first seen.

    Each counts once, however often it is sent. Mentions stay: `moodwire archive rebuild-state` counts their items.
    """
    settings = load_settings(namespace=namespace, field_map=field_map)
    with open_existing(settings) as broker:
        rows = [row for row in read_rejects(broker, settings.topics) if reason in (None, row.reason)]
        done = retry_rejects(broker, settings.topics, rows, field_map_of(settings), now_ms=wall_clock_ms())
    if json:
        print_json({"retried": done.sent, "kept": done.kept, "too_long": done.cut, "refused": done.refused})
        return
    picked_up = " A running worker picks them up." if done.sent else ""
    console.print(f"{done.sent} records sent again.{picked_up}", highlight=False)
    if done.cut:
        console.print(f"{done.cut} are longer than what is kept of a record, and stay.", highlight=False)
    for line in _refusals(done.refused, settings):
        console.print(foreign(line), highlight=False, soft_wrap=True)


def _refusals(refused: Mapping[str, int], settings: Settings) -> Iterator[str]:
    """What stays, apart by whether another field map may help."""
    mapped = {reason: count for reason, count in refused.items() if reason in OF_THE_MAP}
    others = {reason: count for reason, count in refused.items() if reason not in OF_THE_MAP}
    if mapped:
        used = settings.field_map or "the default places of fields (--field-map)"
        yield f"{sum(mapped.values())} still cannot be read with {used}, and stay: {counted(mapped)}."
    if others:
        yield f"{sum(others.values())} cannot be sent again, whatever the field map, and stay: {counted(others)}."
