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
from streams.board.context import Beside
from streams.board.server import BoardPortTaken, BoardServer
from streams.board.thread import BoardThread
from streams.brief.digest import briefing_of
from streams.cli.options import NamespaceOption, ProfileOption, WatchlistsOption
from streams.cli.output import console, foreign
from streams.errors import SettingsError
from streams.existing import exists
from streams.feeds.feedlist import Feed, load_feeds
from streams.feeds.polling import poll_feeds
from streams.logs import get_logger
from streams.namespaces import Kind
from streams.observe.jobs import JobState
from streams.observe.logs import shown
from streams.observe.operations import Operations
from streams.process import last_words
from streams.receivers.channels import channels_of
from streams.settings import Settings, load_settings
from streams.transport.broker import open_broker
from streams.transport.stages import run_stages

log = get_logger(__name__)

FEEDS = "feeds"
BOARD = "board"
_START_LINE_SECONDS = 2.0
_NO_BOARD = -1


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
    stages = _chosen(stage or [FEEDS, *STAGES, BOARD], settings, kind, asked=bool(stage))
    feeds = load_feeds(settings.feeds) if FEEDS in stages and settings.feeds else ()
    _check_free(settings, [name for name in stages if name in STAGES])
    asyncio.run(_run(settings, stages, feeds, kind, needs_board=BOARD in (stage or ())))
    with last_words(0), suppress(SystemExit):  # rich ends the program where its reader is gone
        console.print("Stopped. What was in hand is finished and committed, or the next worker does it again.")


def _check_free(settings: Settings, stages: Sequence[str]) -> None:
    """Refuses a second worker before anything of it begins: that its ports are taken would not be the reason."""
    if settings.on_kafka or not exists(settings):
        return
    with open_broker(settings.broker) as broker, broker.held(map(settings.topics.group, stages)):
        pass


def _chosen(names: list[str], settings: Settings, kind: Kind, *, asked: bool) -> list[str]:
    known = (FEEDS, *STAGES, BOARD)
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
    if BOARD in names and settings.board_port == _NO_BOARD:
        if asked:
            raise SettingsError("the stage board needs a port: MOODWIRE_BOARD_PORT=-1 means no board")
        names = [name for name in names if name != BOARD]
    return names


async def _run(
    settings: Settings, names: list[str], feeds: Sequence[Feed], kind: Kind, *, needs_board: bool = False
) -> None:
    stop = asyncio.Event()
    stages = [name for name in names if name in STAGES]
    async with (
        Operations(settings, channels_of(settings), kind=kind) as operations,
        Pipeline(
            settings, stages, operations=operations, kind=kind, make_briefing=partial(briefing_of, settings)
        ) as pipeline,
        operations.following(dict(zip(stages, map(JobState, pipeline.jobs), strict=True)), pipeline.broker),
        AsyncExitStack() as stack,
    ):
        address = ""
        if BOARD in names:
            beside = Beside(lambda: operations.troubles.active, lambda: operations.feeds.answering)
            server = BoardServer(settings, kind=kind, beside=beside, registry=operations.registry)
            address = await _board(server, stack, needed=needs_board or settings.board_port is not None)
        await _say_what_runs([name for name in names if name != BOARD or address], settings, address)
        if feeds:
            watch = operations.feeds
            polling = partial(poll_feeds, settings, feeds, stop, watch.polled, on_plan=watch.planned)
            await stack.enter_async_context(operations.running(FEEDS, polling))
        await run_stages(pipeline.jobs, until=stop, check=pipeline.check)


async def _board(server: BoardServer, stack: AsyncExitStack, *, needed: bool) -> str:
    """Serves the board until the stack is closed; returns its address, nothing where its port is taken and it may be.

    Several processes on one machine may run without naming a port: the first has the board.
    """
    try:
        await stack.enter_async_context(BoardThread(server))
    except BoardPortTaken as error:
        if needed:
            raise
        log.warning("The board is not served", error=error)
        return ""
    return server.address


async def _say_what_runs(names: Sequence[str], settings: Settings, address: str) -> None:
    """Once it runs, not before an error says that it may not; a terminal that takes nothing holds up nothing."""
    with console.capture() as captured:
        console.print(
            f"moodwire runs {', '.join(names)} in namespace [bold]{settings.namespace}[/]"
            f" ({foreign(shown(settings.broker))}); Ctrl-C stops it."
            + (f"\nThe board is at [bold]{foreign(address)}[/]." if address else ""),
            highlight=False,
            soft_wrap=True,
        )
    with suppress(OSError):  # `TimeoutError` is one
        await Aside("start line").call(lambda: write_all(console.file, captured.get()), _START_LINE_SECONDS)
