"""`moodwire model feedback` and `review`: corrections of scores, one by one or from a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from streams.cli.options import JsonOption, NamespaceOption, person
from streams.cli.output import console, errors, foreign, print_json
from streams.errors import Reject, SettingsError
from streams.lifecycle.corrections import TakenCorrections
from streams.lifecycle.feedback import Feedback, parse_feedback
from streams.lifecycle.service import Lifecycle
from streams.settings import load_settings
from streams.wall_clock import wall_clock_ms

__all__ = ["feedback", "show_review"]


def feedback(
    item: Annotated[str, typer.Argument(help="An item's id; with --from anything.")] = "",
    label: Annotated[
        list[str] | None, typer.Option("--label", "-L", help="HEAD=LABEL, the right label of a head; may be repeated.")
    ] = None,
    entity: Annotated[
        list[str] | None,
        typer.Option("--entity", "-e", help="NAME=LABEL, the right label about an entity that it names."),
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take your earlier word on the item back.")] = False,
    resolve: Annotated[bool, typer.Option("--resolve", help="End a disagreement of others.")] = False,
    source: Annotated[
        Path | None, typer.Option("--from", help="NDJSON of {item, labels, by?, at_ms?}; - for standard input.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who says so; by default the user of this shell.")] = None,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    lifecycle = Lifecycle(load_settings(namespace=namespace))
    if source is not None:
        given, bad = _imported(source, person(by))
    else:
        one = _correction(item, label or [], entity or [], person(by), withdraw=withdraw, resolves=resolve)
        given, bad = [one], 0
    _show(lifecycle.correct(given), bad, json=json)


def _correction(item: str, label: list[str], entity: list[str], by: str, *, withdraw: bool, resolves: bool) -> Feedback:
    labels, entities = dict(map(_pair, label)), dict(map(_pair, entity))
    if not item:
        raise SettingsError("name the item that is corrected, or a file with --from")
    if bool(labels or entities) == withdraw:
        raise SettingsError("give the right label with --label HEAD=LABEL or --entity NAME=LABEL, or --withdraw")
    return Feedback(item=item, by=by, at_ms=wall_clock_ms(), labels=labels, entities=entities, resolves=resolves)


def _pair(given: str) -> tuple[str, str]:
    head, equals, label = given.partition("=")
    if not (head and equals and label):
        raise SettingsError(f"{given!r} is not HEAD=LABEL")
    return head, label


def _imported(source: Path, by: str) -> tuple[list[Feedback], int]:
    """Returns the corrections of a file, and how many of its lines are none; each of those is reported."""
    given, bad = [], 0
    for number, line in enumerate(_lines(source), start=1):
        try:
            given.append(parse_feedback(line, by=by, now_ms=wall_clock_ms()))
        except Reject as reject:
            errors.print(f"[red]rejected[/] line {number}: {foreign(reject)}", highlight=False)
            bad += 1
    return given, bad


def _lines(source: Path) -> Iterator[bytes]:
    try:
        content = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
    except OSError as error:
        raise SettingsError(f"{source} cannot be read: {error.strerror}") from error
    return (line for line in content.splitlines() if line.strip())


def _show(found: TakenCorrections, bad: int, *, json: bool) -> None:
    unknown = found.unknown
    if json:
        print_json({"taken": len(found.taken), "unknown": unknown, "rejected": bad})
    else:
        console.print(f"{len(found.taken):,} corrections taken.", highlight=False)
        if unknown:
            shown = foreign(", ".join(unknown[:5])) + (" …" if len(unknown) > 5 else "")
            console.print(f"[yellow]{len(unknown):,} items are not in the archive:[/] {shown}", highlight=False)
    if bad or unknown:
        raise typer.Exit(1)


def show_review(namespace: NamespaceOption = None, json: JsonOption = False) -> None:
    found = Lifecycle(load_settings(namespace=namespace)).review()
    if json:
        print_json(
            {
                "agreed": found.agreed,
                "conflicts": [{"item": one.item, "head": one.head, "votes": one.votes} for one in found.conflicts],
            }
        )
        return
    console.print(f"{len(found.agreed):,} items are corrected and agreed.", highlight=False)
    if found.conflicts:
        table = Table("item", "head", "votes", title="held back", title_justify="left", header_style="bold")
        for one in found.conflicts:
            votes = "; ".join(f"{label}: {', '.join(people)}" for label, people in one.votes.items())
            table.add_row(foreign(one.item), foreign(one.head), foreign(votes))
        console.print(table)
        console.print("`moodwire model feedback ITEM --label HEAD=LABEL --resolve` ends one.", highlight=False)
