"""`moodwire items search`: archived items by their words, series and scores."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from streams.archive import closing_archive
from streams.archive.protocol import Hit, Query
from streams.cli.moments import SinceOption, UntilOption, optional_moment_ms
from streams.cli.options import JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json, utc
from streams.existing import open_existing_archive
from streams.records import Scored
from streams.settings import Settings, load_settings
from streams.wall_clock import wall_clock_ms

__all__ = ["app", "show_hits"]

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """Search archived items."""


@app.command("search")
def search(
    text: Annotated[str, typer.Argument(help="Words that must all occur; without any, the newest items.")] = "",
    namespace: NamespaceOption = None,
    series: Annotated[str, typer.Option("--series", "-s", help="Only of this series, such as entity/AAPL.")] = "",
    label: Annotated[str, typer.Option(help="Only with this label: HEAD=LABEL, such as sentiment=negative.")] = "",
    language: Annotated[str, typer.Option("--language", help="Only in this language, such as en.")] = "",
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(help="Number of items.", min=1, max=10_000)] = 20,
    json: JsonOption = False,
) -> None:
    """Search archived items, the newest first. With --json each is a line, with the matches in `snippet`."""
    settings, now_ms = load_settings(namespace=namespace), wall_clock_ms()
    query = Query(
        text,
        series=series,
        language=language,
        label=_label(label),
        since_ms=optional_moment_ms(since, now_ms),
        until_ms=optional_moment_ms(until, now_ms),
        limit=limit,
    )
    hits = asyncio.run(_found(settings, query))
    show_hits(hits, f"No such items in [bold]{foreign(settings.namespace)}[/].", json=json)


def _label(text: str) -> tuple[str, str] | None:
    head, equals, label = text.partition("=")
    if text and not (head and equals and label):
        raise typer.BadParameter(f"{text!r}: write HEAD=LABEL, such as sentiment=negative")
    return (head, label) if text else None


async def _found(settings: Settings, query: Query) -> list[Hit]:
    async with closing_archive(open_existing_archive(settings)) as archive:
        return await archive.search(query)


def show_hits(hits: Sequence[Hit], otherwise: str, *, json: bool) -> None:
    """Prints the items; people read `otherwise`, in markup, where there are none."""
    for hit in hits:
        if json:
            print_json({**msgspec.to_builtins(hit.item), "snippet": hit.snippet})
        else:
            _show_hit(hit)
    if not hits and not json:
        console.print(otherwise, highlight=False)


def _show_hit(hit: Hit) -> None:
    """Prints two lines: the title with its matches, and what is known of the item."""
    item = hit.item
    console.print(f"{utc(item.news.seen_ms)}  [bold]{foreign(hit.snippet)}[/]", highlight=False, soft_wrap=True)
    details = [item.news.source, *_scores(item), *(one.name for one in item.entities), *item.watchlists]
    console.print(f"  {foreign('; '.join(details))}  [dim]{foreign(item.news.id)}[/]", highlight=False, soft_wrap=True)


def _scores(item: Scored) -> list[str]:
    if not item.heads:
        return [f"not scored: no classifier for {item.language!r}"]
    return [f"{head} {score.label} {score.probability:.2f}" for head, score in item.heads.items()]
