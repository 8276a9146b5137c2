"""`moodwire model list|add|shadow`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from streams.cli.model_options import LanguageOption, following
from streams.cli.model_shadow import show_report
from streams.cli.options import ByOption, JsonOption, NamespaceOption, ProfileOption, person
from streams.cli.output import console, foreign, print_json
from streams.errors import SettingsError
from streams.lifecycle.service import Lifecycle
from streams.lifecycle.shadows import ShadowReportRequest, ShadowRequest
from streams.lifecycle.versions import VersionStatus
from streams.settings import load_settings

__all__ = ["add", "shadow", "show_models"]


def show_models(namespace: NamespaceOption = None, profile: ProfileOption = None, json: JsonOption = False) -> None:
    with following(load_settings(namespace=namespace, profile=profile), quiet=True) as lifecycle:
        rows = [_row(status) for status in lifecycle.versions()]
    if json:
        print_json(rows)
        return
    table = Table("model", "version", "language", "where", "accuracy", "now", header_style="bold")
    for row in rows:
        figures = ", ".join(f"{foreign(head)} {figure:.3f}" for head, figure in row["accuracy"].items())
        cells = [foreign(row[name]) for name in ("name", "version", "language", "where")]
        table.add_row(*cells, figures, foreign(", ".join(row["now"])))
    console.print(table)


def _row(status: VersionStatus) -> dict[str, Any]:
    entry = status.entry
    serving = [f"in service ({language})" for language in status.in_service]
    return {
        "name": entry.name,
        "version": entry.version,
        "language": entry.language,
        "precision": entry.precision,
        "where": entry.where,
        "path": str(entry.path),
        "sha256": entry.sha256,
        "accuracy": dict(entry.accuracy),
        "now": [*serving, *(f"shadow ({language})" for language in status.in_shadow)],
    }


def add(
    folder: Annotated[Path, typer.Argument(help="The model's folder.", exists=True, file_okay=False)],
    json: JsonOption = False,
) -> None:
    entry = Lifecycle(load_settings()).add(folder)
    if json:
        print_json({"name": entry.name, "version": entry.version, "path": str(entry.path)})
    else:
        console.print(
            f"{foreign(entry.name)} {foreign(entry.version)} was added: {foreign(entry.path)}",
            highlight=False,
            soft_wrap=True,
        )


def shadow(
    name: Annotated[str | None, typer.Argument(help="The model's name.")] = None,
    version: Annotated[str | None, typer.Argument(help="Its version.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the shadow of the language.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Begin nothing: show where it differs on the newest archived items.")
    ] = False,
    last: Annotated[int, typer.Option("--last", help="Items of the report.", min=1, max=100_000)] = 2_000,
    language: LanguageOption = None,
    namespace: NamespaceOption = None,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    if stop == (name is not None and version is not None):
        raise SettingsError(f"name a model and its version{'' if report else ', or give --stop'}")
    asked = str(name), str(version)
    with following(load_settings(namespace=namespace), quiet=json) as lifecycle:
        if stop:
            spoken, told = language or lifecycle.sole_language(), None
            lifecycle.stop_shadow(spoken)
        elif report:
            request = ShadowReportRequest(*asked, language or "", last)
            show_report(" ".join(asked), lifecycle.report_shadow(request), json=json)
            return
        else:
            told = lifecycle.start_shadow(ShadowRequest(*asked, person(by), language or ""))
            spoken = told.language
    if json:
        print_json({"language": spoken, "shadow": told})
        return
    now = f"{told.name} {told.version} scores in the shadow" if told else "no model scores in the shadow"
    console.print(
        f"For {foreign(spoken)}, {foreign(now)} from now on; see moodwire_shadow_texts_total.", highlight=False
    )
