"""`moodwire demo`: two weeks of invented news in under two minutes, with two crises to be found."""

from __future__ import annotations

import asyncio
import shutil
from importlib import resources
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from alerts import AlertEvent
from streams.archive import open_archive
from streams.cli.options import JsonOption
from streams.cli.output import console, print_json, utc
from streams.cli.replay import run_replay, show_report
from streams.sample import write_sample
from streams.settings import Settings, load_settings

HELP = "Play the sample feed: two weeks of news, two crises. Needs no server; ends by itself in under two minutes."


def demo(json: JsonOption = False) -> None:
    settings = load_settings(namespace="demo")
    watchlists = resources.files("streams.sample") / "watchlists.yaml"
    settings = settings.changed(watchlists=Path(str(watchlists)))
    shutil.rmtree(settings.home, ignore_errors=True)  # each demo starts afresh; the namespace is its own
    settings.home.mkdir(parents=True)
    feed = settings.home / "sample.ndjson"
    write_sample(feed)
    if not json:
        console.print(
            "[bold]moodwire demo[/]: 14 days of invented news from invented publishers; two crises are hidden in it.\n"
        )
    report = run_replay(settings, feed, json=json)
    heights = asyncio.run(_heights(settings))
    if json:
        print_json({"alerts": heights})
        return
    console.print()
    show_report(report, feed, json=False)
    console.print(_table(heights))
    _where_next(settings)


async def _heights(settings: Settings) -> list[AlertEvent]:
    """Each alert at its height: the state with the most negative items, earliest alert first."""
    archive = open_archive(settings.archive)
    try:
        heights = []
        for alert in await archive.alerts(limit=1_000):
            states = [AlertEvent.from_json(state.body) for state in await archive.alert_history(alert.id)]
            heights.append(max(states, key=lambda event: (event.observed.negative, event.version)))
        return sorted(heights, key=lambda event: event.onset_ms)
    finally:
        await archive.close()


def _table(heights: list[AlertEvent]) -> Table:
    table = Table("began (UTC)", "series", "severity", "negative", "expected", box=None, header_style="bold")
    table.title, table.title_justify = "The alerts, each at its height", "left"
    for event in heights:
        low, high = event.expected.interval
        table.add_row(
            utc(event.onset_ms).removesuffix(" UTC"),
            escape(event.series),
            event.severity,
            f"{event.observed.negative} in {event.window.seconds / 3600:g} h",
            f"{event.expected.negative:.1f} ({low:g} to {high:g})",
        )
    return table


def _where_next(settings: Settings) -> None:
    console.print(
        "\nWhere to look next\n"
        "  [bold]moodwire rejects list -n demo[/]      the broken records, each with its reason\n"
        '  [bold]moodwire score "TEXT"[/]              sentiment, topic and entities of a text of yours\n'
        "  [bold]moodwire replay FILE[/]               your own file of news; --help tells how\n"
        "  [bold]moodwire doctor[/]                    settings, processor, broker and archive\n"
        f"  {settings.home / 'archive.db'}   every scored item (SQLite)",
        highlight=False,
        soft_wrap=True,
    )
