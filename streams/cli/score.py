"""`moodwire score`: one text, what the heads of its language say of it, its entities and watchlists."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Annotated

import typer

from streams.classifiers import classifiers_of
from streams.cli.options import JsonOption, ProfileOption, WatchlistsOption
from streams.cli.output import console, counted, errors, foreign, print_json, require_output
from streams.errors import MoodwireError, Reject
from streams.library.scoring import Scored, record_of, score_texts
from streams.records import EntityMention, HeadScore
from streams.settings import load_settings
from streams.stages.reader import TextReader
from streams.text.heads import HEAD_LABEL, Head
from streams.text.profile import load_profile

_CHUNK = 256


def score(
    text: Annotated[
        str,
        typer.Argument(
            help="Text; - reads one text a line from standard input; with --json each line gives a record, in order."
        ),
    ],
    profile: ProfileOption = None,
    watchlists: WatchlistsOption = None,
    json: JsonOption = False,
) -> None:
    require_output()
    settings = load_settings(profile=profile, watchlists=watchlists)
    chosen = load_profile(settings.profile)
    reader = TextReader.build(chosen, gazetteer=settings.gazetteer, watchlists=settings.watchlists)
    classifiers = classifiers_of(settings, chosen)
    failed = False
    unscored: Counter[str] = Counter()
    texts = 0
    for chunk in _chunks(_standard_input(with_empty=json) if text == "-" else [text]):
        for line, found in zip(chunk, score_texts(chosen, classifiers, reader, chunk), strict=True):
            if isinstance(found, Reject):
                failed = failed or bool(line.strip())
                if line.strip():
                    errors.print(f"[red]rejected[/] {foreign(found)}: {foreign(repr(line[:60]))}", highlight=False)
            else:
                texts += 1
                unscored.update([found.item.language] if not found.verdict.heads else [])
            if json:
                print_json(record_of(line, found))
            elif not isinstance(found, Reject):
                _show(found, chosen.heads)
    if unscored and texts > 1:
        said = f"{sum(unscored.values()):,} of {texts:,} texts have no score, since no classifier speaks their language"
        errors.print(f"{said}: {foreign(counted(unscored))}", highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _standard_input(*, with_empty: bool) -> Iterator[str]:
    """The lines; those without a text count for scripts, which match records with lines."""
    if sys.stdin is None:
        raise MoodwireError("standard input is closed: no text can be read")
    for line in sys.stdin.buffer:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if with_empty or text.strip():
            yield text


def _chunks(lines: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(lines)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def _show(found: Scored, heads: Mapping[str, Head]) -> None:
    item, verdict = found
    console.print(f"[bold]{foreign(item.title)}[/]", highlight=False)
    if not verdict.heads:
        console.print(f"  no classifier speaks this language ({foreign(item.language)})", highlight=False)
        return
    shown: dict[str, list[str]] = {}
    for name, score in verdict.heads.items():
        head = name.partition(HEAD_LABEL)[0]  # with the labels that users added to it
        shown.setdefault(head, []).append(_scored(score, heads[head]))
    if verdict.entities:
        shown["entities"] = [_named(entity, heads) for entity in verdict.entities]
    if item.watchlists:
        shown["watchlists"] = [foreign(name) for name in item.watchlists]
    for name, texts in shown.items():
        console.print(f"  {foreign(name):<10} {', '.join(texts)}", highlight=False)


def _scored(score: HeadScore, head: Head) -> str:
    """The label, with the probabilities that are kept, or its own."""
    shares = score.probabilities or {"": score.probability}
    listed = "  ".join(f"{foreign(label)} {share:.2f}".lstrip() for label, share in shares.items())
    return f"{_coloured(score.label, head)}{'  ' if score.probabilities else ''} ({listed})"


def _coloured(label: str, head: Head) -> str:
    """By the label's value: red below 0, green above; no colour where the head has no direction."""
    if not head.values:
        return foreign(label)
    value = head.values.get(label, 0.0)
    colour = "red" if value < 0 else "green" if value > 0 else "yellow"
    return f"[{colour}]{foreign(label)}[/]"


def _named(entity: EntityMention, heads: Mapping[str, Head]) -> str:
    """The entity, and what the heads that judge entities say of it."""
    judged = [_coloured(score.label, heads[name]) for name, score in entity.heads.items()]
    return " ".join([foreign(f"{entity.name} ({entity.id})"), *judged])
