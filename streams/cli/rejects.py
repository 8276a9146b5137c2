"""`moodwire rejects list|retry`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

import typer

from streams.app import topic_specs
from streams.cli.options import JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json, utc
from streams.feeds.rejects import RejectRecord
from streams.rejects import read_rejects, retry_rejects
from streams.settings import Settings, load_settings
from streams.transport.broker import open_broker

app = typer.Typer(help="Records that could not be processed: look at them, send them again.", no_args_is_help=True)

ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only those with this reason.")]


def _settings(namespace: str | None) -> Settings:
    settings = load_settings(namespace=namespace)
    settings.home.mkdir(parents=True, exist_ok=True)
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics(topic_specs(settings))
    return settings


@app.command("list")
def list_rejects(
    namespace: NamespaceOption = None,
    reason: ReasonOption = None,
    limit: Annotated[int, typer.Option(help="Most rows to show.", min=1)] = 50,
    json: JsonOption = False,
) -> None:
    """Show what is parked: where it stood, why, and the start of what it was."""
    settings = _settings(namespace)
    with open_broker(settings.broker, settings.kafka) as broker:
        rows = [row for row in read_rejects(broker, settings.topics) if reason in (None, row.reason)]
    if json:
        for row in rows[:limit]:
            print_json(row)
        return
    if not rows:
        console.print(f"Nothing is parked in [bold]{settings.namespace}[/].")
        return
    show_rows(rows[:limit])
    counts = ", ".join(f"{count} {foreign(name)}" for name, count in Counter(row.reason for row in rows).most_common())
    console.print(f"{len(rows)} parked: {counts}. Send them again with [bold]moodwire rejects retry[/].")


def show_rows(rows: Iterable[RejectRecord]) -> None:
    """Three lines a record: why and where, the detail, and how it begins."""
    for row in rows:
        start = row.raw_bytes()[:120].decode("utf-8", "replace")
        console.print(
            f"[bold]{foreign(row.reason)}[/]  {foreign(row.position)}  {utc(row.at_ms)}",
            highlight=False,
            soft_wrap=True,
        )
        console.print(f"  {foreign(row.detail)}", highlight=False, soft_wrap=True)
        console.print(f"  [dim]{foreign(start)}[/]", highlight=False, no_wrap=True, overflow="ellipsis")


@app.command("retry")
def retry(namespace: NamespaceOption = None, reason: ReasonOption = None, json: JsonOption = False) -> None:
    """Send parked records to the topic news again; each counts once, however often it is retried."""
    settings = _settings(namespace)
    with open_broker(settings.broker, settings.kafka) as broker:
        rows = [row for row in read_rejects(broker, settings.topics) if reason in (None, row.reason)]
        count = retry_rejects(broker, settings.topics, rows)
    if json:
        print_json({"retried": count, "kept": len(rows) - count})
    else:
        kept = f" {len(rows) - count} were longer than what is kept of a record and stay." if count < len(rows) else ""
        console.print(f"{count} records sent again.{kept} A running worker picks them up.")
