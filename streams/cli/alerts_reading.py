"""`moodwire alerts list|show|tail`: the archive's copy, as people and scripts read it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import typer

from alerts import AlertEvent, Wording
from alerts.delivery.rendering import heading, render_rich, summary
from alerts.records import NEWS, Severity
from streams.archive import closing_archive
from streams.archive.protocol import Archive, StoredAlert, StoredDecision
from streams.cli.audit import decision_line, decision_row
from streams.cli.moments import SinceOption, optional_moment_ms
from streams.cli.options import JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json, utc
from streams.existing import open_existing_archive
from streams.jobs.alert_search import OPEN, alert_of, changes_after, latest_changes, present_alerts
from streams.jobs.held_back import HeldBack, held_back
from streams.settings import Settings, load_settings
from streams.text.profile import load_profile
from streams.wall_clock import wall_clock_ms

__all__ = ["list_alerts", "show_alert", "tail"]

_SHOWN = 50
_POLL_SECONDS = 1.0
_COLOURS = {"warning": "yellow", "critical": "red", "resolved": "green"}

AlertArgument = Annotated[str, typer.Argument(metavar="ID", help="The alert's id, or how it begins.")]
SeriesOption = Annotated[str, typer.Option("--series", "-s", help="Only of this series, such as entity/AAPL.")]


def list_alerts(
    namespace: NamespaceOption = None,
    series: SeriesOption = "",
    state: Annotated[
        str, typer.Option(help="Only in this state: firing, escalated, resolved, or noted by a rule `each`.")
    ] = "",
    severity: Annotated[str, typer.Option(help="Only of this severity: info, warning or critical.")] = "",
    since: SinceOption = None,
    limit: Annotated[int | None, typer.Option(help="Number of rows; by default 50, with --json all.", min=1)] = None,
    json: JsonOption = False,
) -> None:
    """List alerts in their present state, the latest onset last."""
    settings = load_settings(namespace=namespace)
    since_ms = optional_moment_ms(since, wall_clock_ms())
    found, held = asyncio.run(_listed(settings, series, state, since_ms))
    events = [event for event in map(_event, reversed(found)) if severity in ("", event.severity)]
    if json:
        for event in events[-(limit or len(events)) :]:
            print_json(_row(event, held))
        return
    if not events:
        console.print(f"No such alerts in [bold]{foreign(settings.namespace)}[/].", highlight=False)
        return
    wording = load_profile(settings.profile).wording
    for event in events[-(limit or _SHOWN) :]:
        _print_row(event, wording, held.get(event.id))
    is_open = sum(event.state in OPEN for event in events)
    console.print(f"{len(events)} alerts, {is_open} of them open.", highlight=False)


async def _listed(
    settings: Settings, series: str, state: str, since_ms: int | None
) -> tuple[list[StoredAlert], dict[str, HeldBack]]:
    async with closing_archive(open_existing_archive(settings)) as archive:
        found = await archive.alerts(series=series, state=state, since_ms=since_ms, limit=10_000)
        return found, await held_back(archive, (one.id for one in found if one.state in OPEN))


def _row(event: AlertEvent, held: Mapping[str, HeldBack]) -> dict[str, Any]:
    """The alert, with what holds it back if something does."""
    row: dict[str, Any] = msgspec.to_builtins(event)
    return row | ({"held_back": held[event.id]} if event.id in held else {})


def _event(stored: StoredAlert) -> AlertEvent:
    return AlertEvent.from_json(stored.body)


def _print_row(event: AlertEvent, wording: Wording, held: HeldBack | None) -> None:
    """Two lines: what it is, and its evidence; a third one for what holds it back."""
    colour = _colour(event.state, event.severity)
    console.print(
        f"[bold {colour}]{foreign(event.state):<9}[/] {utc(event.onset_ms)}  {foreign(event.severity):<8}  "
        f"[bold]{foreign(event.series)}[/]  {foreign(event.rule)}  [dim]{foreign(event.id)}[/]",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"          {foreign(summary(event, wording))}", highlight=False, soft_wrap=True)
    if held is not None:
        console.print(f"          {foreign(held.text)}", highlight=False, soft_wrap=True)


def _colour(state: str, severity: Severity) -> str:
    return _COLOURS["resolved"] if state == "resolved" else _COLOURS.get(severity, "default")


def show_alert(alert: AlertArgument, namespace: NamespaceOption = None, json: JsonOption = False) -> None:
    """Show an alert: its headlines, all its changes, and its notifications."""
    settings = load_settings(namespace=namespace)
    history, notifications, decisions, held = asyncio.run(_asked(settings, alert))
    if json:
        print_json(
            {
                "alert": history[-1],
                "held_back": held,
                "changes": history,
                "notifications": notifications,
                "decisions": [decision_row(one) for one in decisions],
            }
        )
        return
    wording = load_profile(settings.profile).wording
    latest = next((event for event in reversed(history) if event.change in NEWS), history[-1])
    console.print(render_rich(latest, wording=wording))
    if held is not None:
        console.print(foreign(held.text), highlight=False, soft_wrap=True)
    for event in history:
        _print_change(event, wording)
    for row in notifications:
        problem = f"; {foreign(row['problem'])}" if row["problem"] else ""
        sent = f"{foreign(row['channel'])}: {foreign(row['state'])}, change {row['alert_revision']}"
        console.print(f"{utc(row['updated_ms'])}  {sent}{problem}", highlight=False, soft_wrap=True)
    for one in decisions:
        console.print(decision_line(one), highlight=False, soft_wrap=True)


_Asked = tuple[list[AlertEvent], list[dict[str, Any]], list[StoredDecision], HeldBack | None]


async def _asked(settings: Settings, alert: str) -> _Asked:
    async with closing_archive(open_existing_archive(settings)) as archive:
        history = await alert_of(archive, alert)
        stored = await archive.notifications(alert_id=history[-1].id, limit=1_000)
        decided = await archive.decisions(target=history[-1].id, limit=1_000)
        notifications = [msgspec.to_builtins(row) for row in reversed(stored)]
        held = (await held_back(archive, [history[-1].id])).get(history[-1].id)
        return [_event(state) for state in history], notifications, decided[::-1], held


def _print_change(event: AlertEvent, wording: Wording) -> None:
    colour = _colour(event.state, event.severity)
    console.print(
        f"{utc(event.updated_ms)}  [{colour}]{foreign(heading(event, wording))}[/]  {foreign(event.series)}  "
        f"{foreign(summary(event, wording))}",
        highlight=False,
        soft_wrap=True,
    )


def tail(
    namespace: NamespaceOption = None,
    lines: Annotated[int, typer.Option("--lines", "-l", help="Number of changes.", min=0)] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with changes to come, until Ctrl-C.")] = False,
    json: JsonOption = False,
) -> None:
    """Print the latest changes of alerts, the latest last; with -f also those to come."""
    settings = load_settings(namespace=namespace)
    asyncio.run(_tail(settings, lines, follow=follow, json=json))


async def _tail(settings: Settings, lines: int, *, follow: bool, json: bool) -> None:
    wording = load_profile(settings.profile).wording
    async with closing_archive(open_existing_archive(settings)) as archive:
        known = {alert.id: alert.revision for alert in await present_alerts(archive)}
        _print_changes(await latest_changes(archive, lines), wording, json=json)
        while follow:
            await asyncio.sleep(_POLL_SECONDS)
            known = await _print_new(archive, known, wording, json=json)


async def _print_new(archive: Archive, known: dict[str, int], wording: Wording, *, json: bool) -> dict[str, int]:
    """Prints the changes since `known`, which maps an alert to its last change; returns what is known now."""
    fresh = await changes_after(archive, known)
    _print_changes(fresh, wording, json=json)
    return known | {change.id: change.revision for change in fresh}


def _print_changes(changes: Sequence[StoredAlert], wording: Wording, *, json: bool) -> None:
    for event in map(_event, changes):
        if json:
            print_json(event)
        else:
            _print_change(event, wording)
