"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["FieldMapOption", "JsonOption", "NamespaceOption", "ProfileOption", "WatchlistsOption"]

JsonOption = Annotated[bool, typer.Option("--json", help="JSON for scripts, on standard output.")]
NamespaceOption = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="Which stream: [bold]live[/], a replay's name, or one of your own."),
]
FieldMapOption = Annotated[
    Path | None, typer.Option("--field-map", "-m", help="YAML that maps the records' fields.", exists=True)
]
ProfileOption = Annotated[str | None, typer.Option("--profile", help="Profile: a name, or a folder with profile.yaml.")]
WatchlistsOption = Annotated[
    Path | None, typer.Option("--watchlists", "-w", help="YAML of watchlists.", exists=True, dir_okay=False)
]
