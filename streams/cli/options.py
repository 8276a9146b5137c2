"""Options that several commands share."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from streams.errors import SettingsError
from streams.topics import checked_namespace

__all__ = [
    "ByOption",
    "FieldMapOption",
    "IntoOption",
    "JsonOption",
    "NamespaceOption",
    "ProfileOption",
    "WatchlistsOption",
    "person",
]


def _namespace(given: str | None) -> str | None:
    """Refused as a word of the call, with its usage and exit code 2, before anything is opened or made."""
    try:
        return None if given is None else checked_namespace(given)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error


def person(by: str | None) -> str:
    """Returns who decides."""
    return by or getpass.getuser()


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
NamespaceOption = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        help="Namespace: [bold]live[/], a replay's name, or one of your own.",
        callback=_namespace,
    ),
]
IntoOption = Annotated[
    str | None, typer.Option("--into", help="Namespace; by default named after the file.", callback=_namespace)
]
ByOption = Annotated[str | None, typer.Option("--by", help="Who decides; by default the user of this shell.")]
FieldMapOption = Annotated[
    Path | None, typer.Option("--field-map", "-m", help="YAML that maps the fields of records.", exists=True)
]
ProfileOption = Annotated[
    str | None, typer.Option("--profile", help="Name of a shipped profile, or a folder with profile.yaml.")
]
WatchlistsOption = Annotated[
    Path | None, typer.Option("--watchlists", "-w", help="YAML of watchlists.", exists=True, dir_okay=False)
]
