"""`moodwire score`: one text, its sentiment, topic and entities."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any

import msgspec
import typer

from streams.classifiers import classifiers_of
from streams.cli.options import JsonOption, ProfileOption, WatchlistsOption
from streams.cli.output import console, counted, errors, foreign, print_json
from streams.errors import Reject
from streams.feeds.fieldmap import FieldMap, to_news
from streams.library.scoring import record_of
from streams.settings import load_settings
from streams.stages.classify import classify_items
from streams.stages.reader import ReadItem, TextReader
from streams.text.profile import load_profile

_COLOURS = {"negative": "red", "neutral": "yellow", "positive": "green"}
_CHUNK = 256


def score(
    text: Annotated[str, typer.Argument(help="The text, or - for one text a line on standard input.")],
    profile: ProfileOption = None,
    watchlists: WatchlistsOption = None,
    json: JsonOption = False,
) -> None:
    settings = load_settings(profile=profile, watchlists=watchlists)
    chosen = load_profile(settings.profile)
    reader = TextReader.build(chosen, gazetteer=settings.gazetteer, watchlists=settings.watchlists)
    classifiers = classifiers_of(settings, chosen)
    failed = False
    unscored: Counter[str] = Counter()
    texts = 0
    lines: Iterable[str] = _standard_input() if text == "-" else [text]
    for chunk in _chunks(lines):
        items: list[ReadItem] = []
        for line in chunk:
            try:
                items.append(_read(reader, line))
            except Reject as reject:
                errors.print(f"[red]rejected[/] {foreign(reject)}: {foreign(repr(line[:60]))}", highlight=False)
                failed = True
        texts += len(items)
        for item, verdict in zip(items, classify_items(chosen, classifiers, items), strict=True):
            if verdict.sentiment is None:
                unscored[item.language] += 1
            record = record_of(item, verdict)
            if json:
                print_json(record)
            else:
                _show(msgspec.to_builtins(record))
    if unscored and texts > 1:
        said = f"{sum(unscored.values()):,} of {texts:,} texts have no score, since no classifier speaks their language"
        errors.print(f"{said}: {foreign(counted(unscored))}", highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _read(reader: TextReader, line: str) -> ReadItem:
    now_ms = time.time_ns() // 1_000_000
    return reader.read(to_news({"title": line, "source": "you"}, FieldMap.default(), seen_ms=now_ms, now_ms=now_ms))


def _standard_input() -> Iterator[str]:
    for line in sys.stdin.buffer:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.strip():
            yield text


def _chunks(lines: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(lines)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def _show(record: dict[str, Any]) -> None:
    console.print(f"[bold]{foreign(record['title'])}[/]", highlight=False)
    sentiment = record["sentiment"]
    if sentiment is None:
        console.print(f"  no classifier speaks this language ({foreign(record['language'])})", highlight=False)
        return
    shares = "  ".join(f"{name} {sentiment[name]:.2f}" for name in _COLOURS)
    console.print(f"  sentiment  [{_COLOURS[sentiment['label']]}]{sentiment['label']}[/]   ({shares})", highlight=False)
    topics = [one for one in (record["topic"], *record["topics"]) if one]
    if topics:
        shown = ", ".join(f"{one['label']} ({one['probability']:.2f})" for one in topics)
        console.print(f"  topic      {foreign(shown)}", highlight=False)
    if record["entities"]:
        console.print(f"  entities   {', '.join(map(_named, record['entities']))}", highlight=False)
    if record["watchlists"]:
        console.print(f"  watchlists {foreign(', '.join(record['watchlists']))}", highlight=False)


def _named(entity: dict[str, Any]) -> str:
    """The entity, and the sentiment towards it where the model judged that."""
    shown = foreign(f"{entity['name']} ({entity['id']})")
    label = entity.get("sentiment", {}).get("label")
    return f"{shown} [{_COLOURS[label]}]{label}[/]" if label else shown
