"""`moodwire alerts explain`: why an alert opened, or why none did at a time, counted again from archived items."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import typer

from alerts import AlertConfig, AlertEvent, Finding, Wording
from alerts.delivery.rendering import heading, summary
from alerts.records import rounded
from streams.alert_rules import alert_config
from streams.archive import closing_archive
from streams.cli.moments import MOMENT_HELP, moment_ms
from streams.cli.options import JsonOption, NamespaceOption, ProfileOption
from streams.cli.output import console, foreign, print_json, progress_bar, utc
from streams.errors import SettingsError
from streams.existing import open_existing_archive
from streams.jobs.alert_search import alert_of
from streams.jobs.explanation import Explanation, explained, finding_numbers, finding_text
from streams.jobs.held_back import HeldBack, held_back
from streams.jobs.recount import Watched
from streams.settings import Settings, load_settings
from streams.text.profile import load_profile
from streams.wall_clock import wall_clock_ms

__all__ = ["explain"]


def explain(
    alert: Annotated[str, typer.Argument(metavar="[ID]", help="An alert's id, or how it begins.")] = "",
    series: Annotated[str, typer.Option("--series", "-s", help="In place of an ID: a series, with --at.")] = "",
    at: Annotated[str, typer.Option("--at", help=f"When; by default the alert's opening. {MOMENT_HELP}.")] = "",
    signal: Annotated[str, typer.Option(help="The signal; by default the first that is watched.")] = "",
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Explain why an alert opened, or why none did on a series at a time: every rule and window, with its reason.

    The archived items are counted again, so a large archive takes a while. What was pruned is in no baseline.
    """
    if bool(alert) == bool(series) or (series and not at):
        raise typer.BadParameter("give an ID, or --series with --at")
    settings = load_settings(namespace=namespace, profile=profile)
    loaded = load_profile(settings.profile)
    config = alert_config(settings, loaded)
    at_ms = moment_ms(at, wall_clock_ms()) if at else None
    if signal and signal not in config.signals:
        raise SettingsError(f"the signal {signal!r} is not watched; take one of {', '.join(config.signals)}")
    watched = Watched(series, signal or config.signals[0])
    with progress_bar(quiet=json) as bar:
        task = bar.add_task("items", total=None)
        found, held = asyncio.run(
            _asked(settings, config, alert, watched, at_ms, lambda done: bar.update(task, completed=done))
        )
    if json:
        print_json(_json(found, config.wording) | {"held_back": held})
    else:
        _show(found, config)
        for name, one in held.items():
            console.print(f"  {foreign(name)}: {foreign(one.text)}", highlight=False, soft_wrap=True)


async def _asked(
    settings: Settings,
    config: AlertConfig,
    alert: str,
    watched: Watched,
    at_ms: int | None,
    on_progress: Callable[[int], None],
) -> tuple[Explanation, dict[str, HeldBack]]:
    """Returns why, and what holds back the alerts of the series that fire."""
    async with closing_archive(open_existing_archive(settings)) as archive:
        if alert:
            opened = AlertEvent.from_json((await alert_of(archive, alert))[0].body)
            watched, at_ms = Watched(opened.series, opened.signal), at_ms or opened.updated_ms
        assert at_ms is not None  # a series comes with its time
        found = await explained(
            archive, config, watched, at_ms, partitions=settings.mentions_partitions, on_progress=on_progress
        )
        return found, await held_back(archive, (one.id for one in found.events))


def _json(found: Explanation, wording: Wording) -> dict[str, Any]:
    return {
        "series": found.watched.series,
        "signal": found.watched.signal,
        "at_ms": found.tick_ms,
        "answer": found.answer,
        "findings": [_finding(one, found.watched.signal, wording) for one in found.findings],
        "changes": [{"id": one.id, "change": one.change, "updated_ms": one.updated_ms} for one in found.events],
        "models": found.models,
    }


def _finding(finding: Finding, signal: str, wording: Wording) -> dict[str, Any]:
    text = f"{finding_text(finding, signal, wording)}: {wording.reason(finding.reason)}"
    return {"rule": finding.rule, "reason": finding.reason, **finding_numbers(finding), "text": text}


def _show(found: Explanation, config: AlertConfig) -> None:
    wording = config.wording
    title = f"{foreign(found.watched.series)}[/]  {foreign(wording.signal(found.watched.signal))}"
    console.print(f"[bold]{title}  {utc(found.tick_ms)}", highlight=False, soft_wrap=True)
    if found.answer is not None:
        console.print(f"  No alert: {foreign(wording.reason(found.answer))}.", highlight=False, soft_wrap=True)
    for finding in found.findings:
        text, reason = finding_text(finding, found.watched.signal, wording), wording.reason(finding.reason)
        level = "" if finding.evidence is None else f" (a false alarm's level: {rounded(finding.evidence.level):.1g})"
        console.print(
            f"  [bold]{foreign(finding.rule):<7}[/] {foreign(text)}{level}\n          {foreign(reason)}",
            highlight=False,
            soft_wrap=True,
        )
    for event in found.events[-5:]:
        what = f"{foreign(heading(event, wording))}  {foreign(summary(event, wording))}"
        console.print(f"  {utc(event.updated_ms)}  {what}  [dim]{event.id}[/]", highlight=False, soft_wrap=True)
    if len(found.models) > 1:
        console.print(f"  Several models scored these items: {foreign(', '.join(found.models))}.", highlight=False)
