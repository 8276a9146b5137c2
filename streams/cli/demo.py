"""`moodwire demo`: two weeks of invented news in under two minutes, with two crises to be found."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import AsyncExitStack, ExitStack, suppress
from importlib import resources
from pathlib import Path

from rich.table import Table

from alerts import AlertEvent
from streams.app import STAGES, Pipeline
from streams.archive import closing_archive, open_archive
from streams.board.server import BoardPortTaken, BoardServer
from streams.board.thread import BoardThread
from streams.cli.options import JsonOption
from streams.cli.output import console, foreign, print_json, utc
from streams.cli.replay import leave_unfinished, run_replay, show_report
from streams.errors import BrokerDamaged, SettingsError, StageTaken
from streams.namespaces import Kind
from streams.private_files import private_home
from streams.sample import write_sample
from streams.settings import Settings, load_settings
from streams.transport.broker import open_broker
from streams.transport.stages import run_stages


def demo(json: JsonOption = False) -> None:
    settings = load_settings(namespace="demo")
    sample = resources.files("streams.sample")
    watchlists, routes = (Path(str(sample / name)) for name in ("watchlists.yaml", "routes.yaml"))
    settings = settings.changed(watchlists=watchlists, routes=None if json else routes, terminal=not json)
    _begin_afresh(settings)
    private_home(settings.home)
    feed = settings.home / "sample.ndjson"
    write_sample(feed)
    if not json:
        console.print(
            "[bold]moodwire demo[/]: 14 days of invented news from invented publishers; two crises are hidden in it.\n"
            f"Its data go to {foreign(settings.home)}; each demo starts afresh.\n",
            highlight=False,
            soft_wrap=True,
        )
    report = run_replay(settings, feed, json=json)
    leave_unfinished(report)
    events = asyncio.run(_present(settings))
    if json:
        print_json({"alerts": events})
        return
    console.print()
    show_report(report, feed, json=False)
    console.print(_table(events))
    _where_next(settings)
    if console.is_terminal:
        _show_board(settings)


def _begin_afresh(settings: Settings) -> None:
    """Removes the data of an earlier demo; the namespace is the demo's own.

    Raises `SettingsError` while that demo is at work, or shows its board.
    """
    if not settings.home.exists():
        return
    with ExitStack() as stack:
        try:
            with suppress(BrokerDamaged):  # then nobody works on it
                broker = stack.enter_context(open_broker(settings.broker, settings.kafka))
                stack.enter_context(broker.held(settings.topics.group(name) for name in STAGES))
        except StageTaken as error:
            raise SettingsError(
                f"another demo is at work or shows its board in {settings.home}: end it first (Ctrl-C where it runs), "
                "or name another folder (MOODWIRE_DATA_DIR)"
            ) from error
        shutil.rmtree(settings.home, ignore_errors=True)


def _show_board(settings: Settings) -> None:
    """Serves the board of what was played until Ctrl-C; on any free port where its own is taken."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    """The board, and beside it the workers that carry out what is decided there."""
    async with Pipeline(settings, kind=Kind.REPLAY) as pipeline, AsyncExitStack() as stack:
        address = await _open_board(settings, stack)
        console.print(
            f"\nThe board shows all of it at [bold]{foreign(address)}[/]; Ctrl-C ends it.",
            highlight=False,
            soft_wrap=True,
        )
        await run_stages(pipeline.jobs, check=pipeline.check)


async def _open_board(settings: Settings, stack: AsyncExitStack) -> str:
    """Returns its address."""
    server = BoardServer(settings, kind=Kind.REPLAY)
    try:
        await stack.enter_async_context(BoardThread(server))
    except BoardPortTaken:
        server = BoardServer(settings, kind=Kind.REPLAY, port=0)
        await stack.enter_async_context(BoardThread(server))
    return server.address


async def _present(settings: Settings) -> list[AlertEvent]:
    """Returns the present state of every alert, the earliest first."""
    async with closing_archive(open_archive(settings.archive, settings.elastic)) as archive:
        events = [AlertEvent.from_json(alert.body) for alert in await archive.alerts(limit=1_000)]
    return sorted(events, key=lambda event: event.onset_ms)


def _table(events: list[AlertEvent]) -> Table:
    table = Table("began (UTC)", "series", "severity", "hits", "expected", box=None, header_style="bold")
    table.title, table.title_justify = "The alerts, each at its height", "left"
    for event in events:
        peak = event.peak
        low, high = peak.interval
        table.add_row(
            utc(event.onset_ms).removesuffix(" UTC"),
            foreign(event.series),
            foreign(event.severity),
            f"{peak.hits} in {peak.seconds / 3600:g} h",
            f"{peak.expected:.2g} ({low} to {high})",
        )
    return table


def _where_next(settings: Settings) -> None:
    called = how_called()
    note = "" if called == "moodwire" else f" ([bold]moodwire[/] is {foreign(called)} here)"
    console.print(
        f"\nWhere to look next{note}\n"
        "  [bold]moodwire alerts list -n demo[/]       the alerts; alerts show and alerts explain ID say more\n"
        "  [bold]moodwire run --replay -n demo[/]      the board again\n"
        "  [bold]moodwire rejects list -n demo[/]      the broken records, each with its reason\n"
        '  [bold]moodwire score "TEXT"[/]              scores and entities of a text of yours\n'
        "  [bold]moodwire replay FILE[/]               your own file of news; --help tells how\n"
        "  [bold]moodwire doctor[/]                    settings, processor, broker and archive\n"
        f"  {foreign(settings.home / 'archive.db')}   every scored item (SQLite)",
        highlight=False,
        soft_wrap=True,
    )


def how_called() -> str:
    """Returns `moodwire` where the shell finds this program by its name, else the path from here."""
    program = Path(sys.argv[0])
    known = shutil.which("moodwire")
    if program.name != "moodwire" or (known is not None and Path(known).samefile(program)):
        return "moodwire"
    return os.path.relpath(program)
