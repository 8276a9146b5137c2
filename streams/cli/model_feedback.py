"""`moodwire model feedback` and `review`: corrections of scores, one by one or from a file."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from streams.cli.model_options import now_ms, open_control
from streams.cli.options import JsonOption, NamespaceOption
from streams.cli.output import console, errors, foreign, print_json
from streams.errors import Reject, SettingsError
from streams.existing import open_existing, open_existing_archive, records_of
from streams.lifecycle.feedback import Feedback, Review, feedback_send, parse_feedback, read_feedback, review
from streams.records import Scored
from streams.settings import Settings, load_settings

__all__ = ["feedback", "read_review", "show_review"]

_PAGE = 1_000


def feedback(
    item: Annotated[str, typer.Argument(help="An item's id; with --from anything.")] = "",
    label: Annotated[
        list[str] | None, typer.Option("--label", "-L", help="HEAD=LABEL, as sentiment=negative; may be repeated.")
    ] = None,
    entity: Annotated[
        list[str] | None, typer.Option("--entity", "-e", help="NAME=LABEL: the sentiment about an entity it names.")
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
    settings = load_settings(namespace=namespace)
    person = by or getpass.getuser()
    if source is not None:
        words, bad = _imported(source, person)
    else:
        words, bad = [_word(item, label or [], entity or [], person, withdraw=withdraw, resolves=resolve)], 0
    known = asyncio.run(_known(settings, {word.item for word in words}))
    missing = sorted({word.item for word in words} - set(known))
    told = [_with_version(word, known[word.item]) for word in words if word.item in known]
    with open_control(settings) as broker:
        for start in range(0, len(told), _PAGE):
            page = told[start : start + _PAGE]
            broker.append([feedback_send(settings.topics.feedback, word) for word in page])
    _show(told, missing, bad, json=json)


def _word(item: str, label: list[str], entity: list[str], by: str, *, withdraw: bool, resolves: bool) -> Feedback:
    labels, entities = dict(map(_pair, label)), dict(map(_pair, entity))
    if not item:
        raise SettingsError("name the item that is corrected, or a file with --from")
    if bool(labels or entities) == withdraw:
        raise SettingsError("say what is right with --label HEAD=LABEL or --entity NAME=LABEL, or give --withdraw")
    return Feedback(item=item, by=by, at_ms=now_ms(), labels=labels, entities=entities, resolves=resolves)


def _pair(given: str) -> tuple[str, str]:
    head, equals, label = given.partition("=")
    if not (head and equals and label):
        raise SettingsError(f"{given!r} is not HEAD=LABEL, as sentiment=negative")
    return head, label


def _imported(source: Path, by: str) -> tuple[list[Feedback], int]:
    words, bad = [], 0
    for number, line in enumerate(_lines(source), start=1):
        try:
            words.append(parse_feedback(line, by=by, now_ms=now_ms()))
        except Reject as reject:
            errors.print(f"[red]rejected[/] line {number}: {foreign(reject)}", highlight=False)
            bad += 1
    return words, bad


def _lines(source: Path) -> Iterator[bytes]:
    try:
        content = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
    except OSError as error:
        raise SettingsError(f"{source} cannot be read: {error.strerror}") from error
    return (line for line in content.splitlines() if line.strip())


async def _known(settings: Settings, ids: Iterable[str]) -> dict[str, Scored]:
    """The items that the archive holds."""
    archive = open_existing_archive(settings)
    try:
        asked, found = sorted(ids), dict[str, Scored]()
        for start in range(0, len(asked), _PAGE):
            found |= {one.news.id: one for one in await archive.items_by_id(asked[start : start + _PAGE])}
        return found
    finally:
        await archive.close()


def _with_version(word: Feedback, item: Scored) -> Feedback:
    """The word with the version that it corrects."""
    version = word.version or f"{item.model} {item.model_version}"
    return msgspec.structs.replace(word, version=version)


def _show(told: list[Feedback], missing: list[str], bad: int, *, json: bool) -> None:
    if json:
        print_json({"taken": len(told), "unknown": missing, "rejected": bad})
    else:
        console.print(f"{len(told):,} corrections taken.", highlight=False)
        if missing:
            shown = foreign(", ".join(missing[:5])) + (" …" if len(missing) > 5 else "")
            console.print(f"[yellow]{len(missing):,} items are not in the archive:[/] {shown}", highlight=False)
    if bad or missing:
        raise typer.Exit(1)


def show_review(namespace: NamespaceOption = None, json: JsonOption = False) -> None:
    found = read_review(load_settings(namespace=namespace))
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
        table = Table("item", "head", "who says what", title="held back", title_justify="left", header_style="bold")
        for one in found.conflicts:
            votes = "; ".join(f"{label}: {', '.join(people)}" for label, people in one.votes.items())
            table.add_row(foreign(one.item), foreign(one.head), foreign(votes))
        console.print(table)
        console.print("`moodwire model feedback ITEM --label HEAD=LABEL --resolve` ends one.", highlight=False)


def read_review(settings: Settings) -> Review:
    """The review of all feedback of the namespace."""
    with open_existing(settings) as broker:
        return review(read_feedback(records_of(broker, settings.topics.feedback)))
