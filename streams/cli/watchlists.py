"""`moodwire watchlists list|set|items|remove`: watchlists that people change while workers run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from alerts.judge.decisions import Unwatch, Watch
from streams.archive import closing_archive
from streams.archive.protocol import Hit
from streams.cli.deciding import SeenOption, WaitOption, deciding, seen_version
from streams.cli.items import show_hits
from streams.cli.options import ByOption, JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json
from streams.errors import MoodwireError
from streams.existing import open_existing, open_existing_archive
from streams.jobs.judge_state import read_judge
from streams.jobs.watchlist_items import items_of
from streams.settings import Settings, load_settings
from streams.text.profile import load_profile
from streams.text.watchlists import Watchlist, load_watchlists, watchlist_of
from streams.userfiles import suggestion

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command("list")
def list_watchlists(namespace: NamespaceOption = None, json: JsonOption = False) -> None:
    """List the watchlists of the settings' file, and those that people made while workers run."""
    settings = load_settings(namespace=namespace)
    rows = {one.name: msgspec.to_builtins(one) for one in _of_file(settings)}
    with open_existing(settings) as broker:
        made = read_judge(broker, settings.topics).watchlists
    for name, one in sorted(made.items()):
        rows[name] = {**one.body, "name": name, "by": one.by, "at_ms": one.at_ms, "version": one.seen_version}
    for row in rows.values():
        if json:
            print_json(row)
        else:
            _show(row)
    if not rows and not json:
        console.print("There are no watchlists.", highlight=False)


def _of_file(settings: Settings) -> tuple[Watchlist, ...]:
    return load_watchlists(settings.watchlists) if settings.watchlists else ()


def _show(row: dict[str, Any]) -> None:
    origin = f"by {row['by']}, version {row['version']}" if "by" in row else "from the file"
    words = [word for field in ("names", "aliases", "tickers", "terms", "entities") for word in row.get(field, ())]
    console.print(
        f"[bold]{foreign(row['name'])}[/]  {foreign(', '.join(words))}  [dim]{foreign(origin)}[/]",
        highlight=False,
        soft_wrap=True,
    )


@app.command("set")
def set_watchlist(
    file: Annotated[Path, typer.Argument(help="YAML of watchlists.", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Argument(help="The one to take; by default the only one of the file.")] = "",
    by: ByOption = None,
    seen: SeenOption = None,
    wait: WaitOption = 15.0,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """Make a watchlist from a file, or replace the one of this name, while workers run."""
    wanted = _chosen(load_watchlists(file), name)
    with deciding(namespace, by, wait, json=json) as one:
        version = seen_version(one.state.watchlists.get(wanted.name), seen, otherwise=0)
        body = {key: value for key, value in msgspec.to_builtins(wanted).items() if value and key != "name"}
        one.decide(Watch(**one.header(version), name=wanted.name, body=body))


def _chosen(lists: tuple[Watchlist, ...], name: str) -> Watchlist:
    found = [one for one in lists if name in ("", one.name)]
    if len(found) != 1:
        names = ", ".join(one.name for one in lists)
        raise MoodwireError(f"the file has the watchlists {names}; name one of them")
    return found[0]


@app.command("items")
def items(
    name: Annotated[str, typer.Argument(help="The watchlist's name.")],
    namespace: NamespaceOption = None,
    limit: Annotated[int, typer.Option(help="Number of items.", min=1, max=10_000)] = 20,
    json: JsonOption = False,
) -> None:
    """Show the archived items of a watchlist, the newest first, also those from before it was made."""
    settings = load_settings(namespace=namespace)
    wanted = _known(settings, name)
    hits = asyncio.run(_items(settings, wanted, limit))
    show_hits(hits, f"No archived item is on [bold]{foreign(name)}[/].", json=json)


def _known(settings: Settings, name: str) -> Watchlist:
    """The list as people changed it, or as the settings' file has it. Raises `MoodwireError` for an unknown name."""
    with open_existing(settings) as broker:
        made = read_judge(broker, settings.topics).watchlists
    if name in made:
        return watchlist_of(name, made[name].body)
    lists = _of_file(settings)
    for one in lists:
        if one.name == name:
            return one
    known = suggestion(name, [*made, *(one.name for one in lists)])
    raise MoodwireError(f"there is no watchlist {name!r}; {known}")


async def _items(settings: Settings, wanted: Watchlist, limit: int) -> list[Hit]:
    async with closing_archive(open_existing_archive(settings)) as archive:
        return await items_of(archive, load_profile(settings.profile), wanted, limit)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="The watchlist's name.")],
    by: ByOption = None,
    seen: SeenOption = None,
    wait: WaitOption = 15.0,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """Stop watching a watchlist that people made. One of the settings' file is changed there."""
    with deciding(namespace, by, wait, json=json) as one:
        version = seen_version(one.state.watchlists.get(name), seen)
        one.decide(Unwatch(**one.header(version), name=name))
