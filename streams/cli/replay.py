"""`moodwire replay`: a file through the whole pipeline, into a namespace of its own."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from alerts.delivery import TerminalChannel
from streams.cli.options import FieldMapOption, IntoOption, JsonOption, ProfileOption, WatchlistsOption
from streams.cli.output import console, counted, errors, foreign, print_json, progress_bar
from streams.existing import places
from streams.feeds.fieldmap import OF_THE_MAP
from streams.feeds.preview import FieldsUnknown
from streams.feeds.replay import ReplayProgress
from streams.jobs.replay import ReplayReport, namespace_of, replay_file
from streams.process import last_words
from streams.receivers.channels import channels_of
from streams.settings import Settings, load_settings
from streams.text.profile import load_profile


def replay(
    file: Annotated[
        Path,
        typer.Argument(
            help="File, oldest items first; - is standard input.",
            allow_dash=True,
        ),
    ],
    into: IntoOption = None,
    speed: Annotated[float, typer.Option(help="Multiple of real time; 0: as fast as possible.", min=0)] = 0.0,
    field_map: FieldMapOption = None,
    watchlists: WatchlistsOption = None,
    gazetteer: Annotated[
        Path | None, typer.Option("--gazetteer", "-g", help="YAML or CSV of your own entities.", exists=True)
    ] = None,
    profile: ProfileOption = None,
    partitions: Annotated[int | None, typer.Option(help="Number of partitions of a new namespace.", min=1)] = None,
    lateness: Annotated[
        float | None, typer.Option(help="Seconds that windows wait for items out of order.", min=0, max=86_400)
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
    try:
        report = run_replay(settings, file, speed=speed, json=json)
    except FieldsUnknown as unknown:
        _show_unknown(unknown, file, settings, json=json)
        raise typer.Exit(1) from None
    with _ending(report):
        show_report(report, file, json=json)
        if not json:
            console.print(f"Data: {foreign(places(settings))}", highlight=False, soft_wrap=True)
    leave_unfinished(report)
    if not report.archived:
        raise typer.Exit(1)


def run_replay(settings: Settings, file: Path, *, speed: float = 0.0, json: bool = False) -> ReplayReport:
    """Replay with a progress bar; alerts are printed above it as they fire."""
    channels = channels_of(settings.changed(terminal=False))
    if settings.terminal and not json:
        channels.append(TerminalChannel(console, wording=load_profile(settings.profile).wording))
    with progress_bar(quiet=json) as bar:
        task = bar.add_task(foreign(file.name), total=None)
        lines = 0

        def published(progress: ReplayProgress) -> None:
            nonlocal lines
            lines = progress.lines

        def scored(lag: int) -> None:
            bar.update(task, total=max(lines, 1), completed=max(lines - lag, 0))

        report = asyncio.run(
            replay_file(settings, file, speed=speed, channels=channels, on_progress=published, on_scored=scored)
        )
        with _ending(report):
            bar.stop()
    return report


def _ending(report: ReplayReport) -> AbstractContextManager[None]:
    """A replay that a signal stopped says so in a moment, or ends without it."""
    return nullcontext() if report.stopped_by is None else last_words(128 + report.stopped_by)


def leave_unfinished(report: ReplayReport) -> None:
    """End with 128 and the signal's number, as a program does that a signal stopped before it was done."""
    if report.stopped_by is not None:
        raise typer.Exit(128 + report.stopped_by)


def show_report(report: ReplayReport, file: Path, *, json: bool) -> None:
    """Print what the namespace holds now, and what of it needs a look."""
    if json:
        print_json(_as_json(report))
        return
    stats, rejects = report.archive, report.rejected
    total = report.archived + stats.duplicates + rejects
    console.print(
        f"[bold]{foreign(file.name)}[/] in namespace [bold]{report.namespace}[/]: {total:,} records = "
        f"{report.archived:,} archived ({stats.items:,} items, {stats.revisions:,} revisions) + "
        f"{stats.duplicates:,} duplicates + {rejects:,} rejects; {report.alerts:,} alerts.",
        highlight=False,
        soft_wrap=True,
    )
    for line in _remarks(report):
        console.print(foreign(line), highlight=False, soft_wrap=True)


def _as_json(report: ReplayReport) -> dict[str, object]:
    stats = report.archive
    return {
        "namespace": report.namespace,
        "finished": report.finished,
        "lines": report.progress.lines,
        "items": stats.items,
        "revisions": stats.revisions,
        "duplicates": stats.duplicates,
        "rejects": report.rejected,
        "reject_reasons": report.rejects,
        "unscored": report.unscored,
        "waiting": report.waiting,
        "alerts": report.alerts,
        "notifications_waiting": report.unsent,
    }


def _remarks(report: ReplayReport) -> Iterator[str]:
    if report.rejects:
        where = f"moodwire rejects list -n {report.namespace}"
        yield f"Rejects by reason: {counted(report.rejects)}. `{where}` shows them."
        if sum(report.rejects.get(reason, 0) for reason in OF_THE_MAP) > report.archived > 0:
            again = f"moodwire rejects retry -n {report.namespace} --field-map FILE"
            yield f"Most records could not be used: `{again}` reads them with another field map."
    if report.unscored:
        yield (
            f"{sum(report.unscored.values()):,} items are archived and not scored, since no classifier speaks their "
            f"language: {counted(report.unscored)}."
        )
    yield from _unsent(report)
    if report.progress.trailing:
        yield "Warning: bytes that are not gzip's follow the compressed data; they were left out, as gzip does."
    if report.progress.moved:
        moved = f"{report.progress.moved:,}"
        yield f"Items whose dates are far from their neighbours', and which are counted at those: {moved}."
    if report.progress.already_complete:
        yield "The file was played before with the same settings: nothing was published again."
    if not report.finished:
        yield (
            f"Interrupted: {report.progress.lines:,} lines are read, {report.waiting:,} records wait. "
            "Run the same command again to resume."
        )
    elif not report.archived and report.progress.already_complete and report.progress.lines > report.rejected:
        yield (
            "Nothing is archived: the file was played before, and its items are no longer in the archive. Were they "
            f"pruned? `moodwire archive rebuild -n {report.namespace}` archives what the broker still holds; --into "
            "another name plays the file again."
        )
    elif not report.archived:
        yield "Nothing was archived: the file holds no record that can be used."


def _unsent(report: ReplayReport) -> Iterator[str]:
    for channel, count in sorted(report.unsent.items()):
        said = "1 notification waits" if count == 1 else f"{count:,} notifications wait"
        yield f"{said} for {channel}; `moodwire run --replay -n {report.namespace} --stage deliver` sends them."


def _show_unknown(error: FieldsUnknown, file: Path, settings: Settings, *, json: bool) -> None:
    """What the records hold, and the field map that would read them."""
    guess = error.guess.yaml()
    if json:
        print_json({"finished": False, "error": str(error), "fields": error.fields, "field_map": guess})
        return
    errors.print(f"[bold red]error:[/] {foreign(error)}", highlight=False, soft_wrap=True)
    used = settings.field_map or "the default places (no --field-map)"
    errors.print(f"Fields were looked for by {foreign(used)}. The records hold:", highlight=False, soft_wrap=True)
    for path, value in error.fields.items():
        shown = "" if value is None else foreign(f"{value!s:.60}")
        errors.print(f"  {foreign(f'{path:<24}')} {shown}", highlight=False, soft_wrap=True)
    saved = f"{file.name.split('.', 1)[0] or 'news'}.map.yaml"
    errors.print("A field map that fits, as far as names and values tell:\n", highlight=False)
    for line in guess.splitlines():
        errors.print(f"  {foreign(line)}", highlight=False, soft_wrap=True)
    errors.print(
        f"\nSave it as {foreign(saved)}, look it over, and call:\n"
        f"  moodwire replay {foreign(shlex.quote(str(file)))} --field-map {foreign(shlex.quote(saved))}",
        highlight=False,
        soft_wrap=True,
    )
