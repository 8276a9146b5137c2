"""`moodwire replay`: a file through the whole pipeline, into a namespace of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from alerts.delivery import TerminalChannel
from streams.app import channels_of
from streams.cli.options import FieldMapOption, JsonOption, ProfileOption, WatchlistsOption
from streams.cli.output import console, foreign, print_json, progress_bar
from streams.feeds.replay import ReplayProgress
from streams.replaying import ReplayReport, namespace_of, replay_file
from streams.settings import Settings, load_settings


def replay(
    file: Annotated[Path, typer.Argument(help="The file, oldest items first; - for standard input.", allow_dash=True)],
    into: Annotated[str | None, typer.Option("--into", help="Namespace; by default the file's own.")] = None,
    speed: Annotated[float, typer.Option(help="Times real time; 0 is as fast as possible.", min=0)] = 0.0,
    field_map: FieldMapOption = None,
    watchlists: WatchlistsOption = None,
    gazetteer: Annotated[
        Path | None, typer.Option("--gazetteer", "-g", help="YAML or CSV of your own entities.", exists=True)
    ] = None,
    profile: ProfileOption = None,
    partitions: Annotated[int | None, typer.Option(help="Partitions of a new namespace.", min=1)] = None,
    lateness: Annotated[
        float | None, typer.Option(help="Seconds of disorder in the file that windows wait for.", min=0)
    ] = None,
    json: JsonOption = False,
) -> None:
    settings = load_settings(
        namespace=into or namespace_of(file),
        field_map=field_map,
        watchlists=watchlists,
        gazetteer=gazetteer,
        profile=profile,
        partitions=partitions,
        lateness_seconds=lateness,
    )
    report = run_replay(settings, file, speed=speed, json=json)
    show_report(report, file, json=json)


def run_replay(settings: Settings, file: Path, *, speed: float = 0.0, json: bool = False) -> ReplayReport:
    """Replay with a progress bar; alerts are printed above it as they fire."""
    channels = channels_of(settings.changed(terminal=False))
    if settings.terminal and not json:
        channels.append(TerminalChannel(console))
    with progress_bar(quiet=json) as bar:
        task = bar.add_task(foreign(file.name), total=None)
        lines = 0

        def published(progress: ReplayProgress) -> None:
            nonlocal lines
            lines = progress.lines

        def scored(lag: int) -> None:
            bar.update(task, total=max(lines, 1), completed=max(lines - lag, 0))

        return asyncio.run(
            replay_file(settings, file, speed=speed, channels=channels, on_progress=published, on_scored=scored)
        )


def show_report(report: ReplayReport, file: Path, *, json: bool) -> None:
    stats = report.archive
    if json:
        print_json(
            {
                "namespace": report.namespace,
                "items": stats.items,
                "revisions": stats.revisions,
                "duplicates": stats.duplicates,
                "rejects": report.rejects,
                "alerts": report.alerts,
            }
        )
        return
    total = report.archived + stats.duplicates + report.rejects
    console.print(
        f"[bold]{foreign(file.name)}[/] in namespace [bold]{report.namespace}[/]: {total:,} records = "
        f"{report.archived:,} archived ({stats.items:,} items, {stats.revisions:,} revisions) + "
        f"{stats.duplicates:,} duplicates + {report.rejects:,} rejects; {report.alerts:,} alerts.",
        highlight=False,
    )
