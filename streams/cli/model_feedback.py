"""`moodwire model feedback` and `review`: corrections of scores, one by one or from a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from streams.cli.options import JsonOption, NamespaceOption, ProfileOption, person
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
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take all back that you said of the item.")] = False,
    resolve: Annotated[bool, typer.Option("--resolve", help="End a disagreement of others.")] = False,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="NDJSON of {item, labels, entities?, by?, at_ms?}; empty labels take all back; - for standard input.",
        ),
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who says so; by default the user of this shell.")] = None,
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    lifecycle = Lifecycle(load_settings(namespace=namespace, profile=profile))
    if source is not None:
        given, bad = _imported(source, person(by))
        found = lifecycle.correct(list(given.values()))
        lines = list(given)
        for at, problem in found.refused.items():
            _reject(lines[at], problem)
        _show(found, bad + len(found.refused), json=json)
        return
    one = _correction(item, label or [], entity or [], person(by), withdraw=withdraw, resolves=resolve)
    found = lifecycle.correct([one])
    for problem in found.refused.values():
        raise SettingsError(problem)
    _show(found, 0, json=json)


def _correction(item: str, label: list[str], entity: list[str], by: str, *, withdraw: bool, resolves: bool) -> Feedback:
    labels, entities = _pairs(label), _pairs(entity)
    if not item:
        raise SettingsError("name the item that is corrected, or a file with --from")
    if bool(labels or entities) == withdraw:
        raise SettingsError("give the right label with --label HEAD=LABEL or --entity NAME=LABEL, or --withdraw")
    return Feedback(item=item, by=by, at_ms=wall_clock_ms(), labels=labels, entities=entities, resolves=resolves)


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = dict(map(_pair, given))
    if len(pairs) < len(given):
        raise SettingsError(f"{', '.join(given)}: one of them is named twice; give it one label")
    return pairs


def _pair(given: str) -> tuple[str, str]:
    head, equals, label = given.partition("=")
    if not (head and equals and label):
        raise SettingsError(f"{given!r} is not HEAD=LABEL")
    return head, label


def _imported(source: Path, by: str) -> tuple[dict[int, Feedback], int]:
    """Returns the corrections of a file by line, and how many of its lines are none; each of those is reported."""
    given, bad = dict[int, Feedback](), 0
    for number, line in _lines(source):
        try:
            given[number] = parse_feedback(line, by=by, now_ms=wall_clock_ms())
        except Reject as reject:
            _reject(number, str(reject))
            bad += 1
    return given, bad


def _reject(line: int, problem: str) -> None:
    errors.print(f"[red]rejected[/] line {line}: {foreign(problem)}", highlight=False, soft_wrap=True)


def _lines(source: Path) -> Iterator[tuple[int, bytes]]:
    """Returns the lines that are not empty, with their numbers in the file."""
    try:
        content = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
    except OSError as error:
        raise SettingsError(f"{source} cannot be read: {error.strerror}") from error
    return ((number, line) for number, line in enumerate(content.splitlines(), start=1) if line.strip())


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
