"""`moodwire alerts test` and `preview`: whether every channel reaches its receiver, and in which words."""

from __future__ import annotations

import asyncio
import uuid
from typing import Annotated

import typer

from alerts.delivery import Channel
from alerts.delivery.brief import Brief, brief_of
from streams.cli.options import JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json
from streams.errors import SettingsError
from streams.receivers.channels import channels_of, templates_of
from streams.receivers.templates.program import Answer
from streams.receivers.templates.rewriting import Templates
from streams.receivers.trial import trial_events, try_channels
from streams.settings import load_settings
from streams.text.profile import load_profile
from streams.userfiles import suggestion
from streams.wall_clock import wall_clock_ms

__all__ = ["preview", "try_receivers"]


def try_receivers(
    receiver: Annotated[
        list[str] | None, typer.Argument(metavar="[RECEIVER]…", help="Receivers by their names; by default all.")
    ] = None,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """Send a test alert and its end through every channel, and print what came of it."""
    settings = load_settings(namespace=namespace)
    channels = _chosen(channels_of(settings), receiver or [])
    signal = next(iter(load_profile(settings.profile).signals))
    events = trial_events(f"test-{uuid.uuid4().hex[:12]}", wall_clock_ms(), signal)
    trials = asyncio.run(try_channels(channels, events, wall_clock_ms))
    for trial in trials:
        if json:
            print_json({"receiver": trial.channel, "delivered": trial.is_well, "problem": trial.problem})
        elif trial.is_well:
            console.print(f"[green]delivered[/]  {foreign(trial.channel)}", highlight=False)
        else:
            console.print(f"[red]failed[/]     {foreign(trial.channel)}: {foreign(trial.problem)}", highlight=False)
    if not all(trial.is_well for trial in trials):
        raise typer.Exit(1)


def preview(
    receiver: Annotated[str, typer.Argument(help="The receiver's name, as in routes.yaml.")],
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """Print a test alert and its end as the receiver's templates make them; nothing is sent."""
    settings = load_settings(namespace=namespace)
    templates, wording = templates_of(settings, receiver), load_profile(settings.profile).wording
    signal = next(iter(load_profile(settings.profile).signals))
    events = trial_events("test", wall_clock_ms(), signal)
    answers = asyncio.run(_made(templates, [brief_of(event, wording) for event in events]))
    for answer in answers:
        if json:
            print_json({"made": answer.made, "problem": answer.problem})
        elif answer.problem:
            console.print(f"[red]failed[/]  {foreign(answer.problem)}", highlight=False)
        for name, text in answer.made.items() if not json else ():
            console.print(f"[bold]{name}[/]", highlight=False)
            for line in text.splitlines():
                console.print(f"  {foreign(line)}", highlight=False, soft_wrap=True)
    if any(answer.problem for answer in answers):
        raise typer.Exit(1)


async def _made(templates: Templates, briefs: list[Brief]) -> list[Answer]:
    try:
        return [await templates.made(brief) for brief in briefs]
    finally:
        await templates.aclose()


def _chosen(channels: list[Channel], names: list[str]) -> list[Channel]:
    """Raises SettingsError for a name that none has, or where there is none at all."""
    if not channels:
        raise SettingsError("no channel is set up: name a receiver in routes.yaml (MOODWIRE_ROUTES)")
    known = [channel.name for channel in channels]
    for name in names:
        if name not in known:
            raise SettingsError(f"there is no receiver {name!r}; {suggestion(name, known)}")
    return [channel for channel in channels if not names or channel.name in names]
