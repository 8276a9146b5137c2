"""`moodwire schema`: the records of topics and what channels send, for those who read or write them elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.output import console
from streams.schemas.contents import CONTENTS, DELIVERED
from streams.schemas.files import document_of, schema_files
from streams.settings import load_settings

_TOPICS = ", ".join(content.topic for content in CONTENTS)
_NAMES = ", ".join(content.topic for content in (*CONTENTS, *DELIVERED))


def schema(
    topic: Annotated[str, typer.Argument(metavar="[NAME]", help=f"One of {_NAMES}.")] = "",
    asyncapi: Annotated[
        bool, typer.Option("--asyncapi", help="Print AsyncAPI 3.0, with names, keys and headers.")
    ] = False,
    into: Annotated[Path | None, typer.Option("--into", help="Write all documents as files into this folder.")] = None,
) -> None:
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        for name, text in schema_files(load_settings()).items():
            (into / name).write_text(text, encoding="utf-8")
        return
    if not topic and not asyncapi:
        for content in CONTENTS:
            whose = "internal" if content.internal else "public"
            console.print(f"[bold]{content.topic:<11}[/] {whose:<9} {content.title}", highlight=False)
        for content in DELIVERED:
            console.print(f"[bold]{content.topic:<11}[/] {'public':<9} {content.title}", highlight=False)
        console.print("\n`moodwire schema NAME` prints the JSON Schema of its records, `--asyncapi` all topics.")
        return
    sys.stdout.write(document_of(_known(topic, asyncapi), load_settings(), asyncapi=asyncapi))


def _known(name: str, asyncapi: bool) -> str:
    known = {content.topic for content in (CONTENTS if asyncapi else (*CONTENTS, *DELIVERED))}
    if name and name not in known:
        fix = f"--asyncapi describes topics: take one of {_TOPICS}" if asyncapi else f"take one of {_NAMES}"
        raise typer.BadParameter(f"there is no {name!r}: {fix}", param_hint="NAME")
    return name
