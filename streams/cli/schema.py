"""`moodwire schema`: what the records of topics look like, for those who read and write them with other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.output import console
from streams.schemas.contents import CONTENTS
from streams.schemas.files import document_of, schema_files
from streams.settings import load_settings

_NAMES = ", ".join(content.topic for content in CONTENTS)


def schema(
    topic: Annotated[str, typer.Argument(metavar="[TOPIC]", help=f"One of {_NAMES}.")] = "",
    asyncapi: Annotated[bool, typer.Option("--asyncapi", help="AsyncAPI 3.0: names, keys and headers too.")] = False,
    into: Annotated[Path | None, typer.Option("--into", help="Write all of it as files into this folder.")] = None,
) -> None:
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        for name, text in schema_files(load_settings()).items():
            (into / name).write_text(text, encoding="utf-8")
        return
    if not topic and not asyncapi:
        for content in CONTENTS:
            whose = "internal" if content.internal else "public"
            console.print(f"[bold]{content.topic:<9}[/] {whose:<9} {content.title}", highlight=False)
        console.print("\n`moodwire schema TOPIC` prints the JSON Schema of its records, `--asyncapi` all topics.")
        return
    sys.stdout.write(document_of(_known(topic), load_settings(), asyncapi=asyncapi))


def _known(topic: str) -> str:
    if topic and topic not in {content.topic for content in CONTENTS}:
        raise typer.BadParameter(f"there is no topic {topic!r}: take one of {_NAMES}", param_hint="TOPIC")
    return topic
