"""`moodwire run`: the live pipeline, all stages or some of them, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Annotated

import typer

from alerts.delivery.aside import Aside, write_all
from streams.app import STAGES, Pipeline
from streams.cli.options import NamespaceOption, ProfileOption, WatchlistsOption
from streams.cli.output import console, foreign
from streams.errors import SettingsError
from streams.feeds.feedlist import Feed, load_feeds
from streams.feeds.polling import poll_feeds
from streams.namespaces import Kind
from streams.observe.jobs import JobState
from streams.observe.logs import shown
from streams.observe.operations import Operations
from streams.process import last_words
from streams.receivers.channels import channels_of
from streams.settings import Settings, load_settings
from streams.transport.stages import run_stages

FEEDS = "feeds"
_START_LINE_SECONDS = 2.0


def run(
    stage: Annotated[list[str] | None, typer.Option("--stage", "-s", help="Only this stage; may be repeated.")] = None,
    namespace: NamespaceOption = None,
    watchlists: WatchlistsOption = None,
    profile: ProfileOption = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Work on a replay's namespace, where event time follows the records.")
    ] = False,
) -> None:
    settings = load_settings(namespace=namespace, watchlists=watchlists, profile=profile)
    kind = Kind.REPLAY if replay else Kind.LIVE
    stages = _chosen(stage or [FEEDS, *STAGES], settings, kind, asked=bool(stage))
    feeds = load_feeds(settings.feeds) if FEEDS in stages and settings.feeds else ()
    asyncio.run(_run(settings, stages, feeds, kind))
    with last_words(0), suppress(SystemExit):  # rich ends the program where its reader is gone
        console.print("Stopped. What was in hand is finished and committed, or the next worker does it again.")


def _chosen(names: list[str], settings: Settings, kind: Kind, *, asked: bool) -> list[str]:
    known = (FEEDS, *STAGES)
    for name in names:
        if name not in known:
            raise SettingsError(f"there is no stage {name!r}; take {', '.join(known)}")
    if FEEDS in names and (settings.feeds is None or kind is Kind.REPLAY):
        if asked:
            raise SettingsError(
                "the stage feeds is for live namespaces: leave --replay out"
                if kind is Kind.REPLAY
                else "the stage feeds needs MOODWIRE_FEEDS, a YAML file of RSS/Atom feeds"
            )
        names = [name for name in names if name != FEEDS]
    return names


async def _run(settings: Settings, names: list[str], feeds: Sequence[Feed], kind: Kind) -> None:
    stop = asyncio.Event()
    stages = [name for name in names if name in STAGES]
    async with (
        Operations(settings, channels_of(settings), kind=kind) as operations,
        Pipeline(settings, stages, operations=operations, kind=kind) as pipeline,
        operations.following(dict(zip(stages, map(JobState, pipeline.jobs), strict=True)), pipeline.broker),
        AsyncExitStack() as stack,
    ):
        await _say_what_runs(names, settings)
        if feeds:
            watch = operations.feeds
            polling = partial(poll_feeds, settings, feeds, stop, watch.polled, on_plan=watch.planned)
            await stack.enter_async_context(operations.running(FEEDS, polling))
        await run_stages(pipeline.jobs, until=stop, check=pipeline.check)


async def _say_what_runs(names: Sequence[str], settings: Settings) -> None:
    """Once it runs, not before an error says that it may not; a terminal that takes nothing holds up nothing."""
    with console.capture() as captured:
        console.print(
            f"moodwire runs {', '.join(names)} in namespace [bold]{settings.namespace}[/]"
            f" ({foreign(shown(settings.broker))}); Ctrl-C stops it.",
            highlight=False,
            soft_wrap=True,
        )
    with suppress(OSError):  # `TimeoutError` is one
        await Aside("start line").call(lambda: write_all(console.file, captured.get()), _START_LINE_SECONDS)
