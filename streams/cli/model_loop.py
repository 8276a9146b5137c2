"""The commands of `moodwire model` that list, take in and shadow; the rest of the loop stands beside."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from models.registry import Entry, Registry
from streams.classifiers import registry_of, shipped_models
from streams.cli.model_options import (
    ByOption,
    LanguageOption,
    control_of,
    now_ms,
    open_control,
)
from streams.cli.model_shadow import show_shadow
from streams.cli.options import JsonOption, NamespaceOption, ProfileOption
from streams.cli.output import console, foreign, print_json
from streams.errors import SettingsError
from streams.lifecycle.promotion import in_service
from streams.serving.control import Control, Shadow, shadow_send
from streams.settings import load_settings
from streams.text.profile import load_profile

__all__ = ["add", "shadow", "show_models"]


def show_models(namespace: NamespaceOption = None, profile: ProfileOption = None, json: JsonOption = False) -> None:
    settings = load_settings(namespace=namespace, profile=profile)
    control, shipped = control_of(settings), shipped_models(load_profile(settings.profile))
    rows = [_row(entry, control, shipped) for entry in registry_of(settings).entries()]
    if json:
        print_json(rows)
        return
    table = Table("model", "version", "language", "where", "accuracy", "now", header_style="bold")
    for row in rows:
        figures = ", ".join(f"{foreign(head)} {figure:.3f}" for head, figure in row["accuracy"].items())
        cells = [foreign(row[name]) for name in ("name", "version", "language", "where")]
        table.add_row(*cells, figures, foreign(", ".join(row["now"])))
    console.print(table)


def _row(entry: Entry, control: Control, shipped: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    model = entry.name, entry.version
    serving = [f"in service ({one})" for one in shipped if _is(in_service(control, shipped, one), model)]
    shadows = [f"shadow ({one})" for one, found in control.shadows.items() if _is(found, model)]
    return {
        "name": entry.name,
        "version": entry.version,
        "language": entry.language,
        "precision": entry.precision,
        "where": entry.where,
        "path": str(entry.path),
        "sha256": entry.sha256,
        "accuracy": dict(entry.accuracy),
        "now": [*serving, *shadows],
    }


def _is(one: Any, model: tuple[str, str]) -> bool:
    return (one.name, one.version) == model


def add(
    folder: Annotated[Path, typer.Argument(help="The model's folder.", exists=True, file_okay=False)],
    json: JsonOption = False,
) -> None:
    entry = Registry(load_settings().models).add(folder)
    if json:
        print_json({"name": entry.name, "version": entry.version, "path": str(entry.path)})
    else:
        console.print(
            f"{foreign(entry.name)} {foreign(entry.version)} is at hand in {foreign(entry.path)}",
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
    settings = load_settings(namespace=namespace)
    if stop == (name is not None and version is not None):
        raise SettingsError("name a model and its version, or give --stop")
    if report and not stop:
        artifact = registry_of(settings).load(str(name), str(version))
        show_shadow(settings, artifact, language or artifact.language, last, json=json)
        return
    if stop:
        told, spoken = None, language or "en"
    else:
        artifact = registry_of(settings).load(str(name), str(version))
        spoken = language or artifact.language
        told = Shadow(
            language=spoken,
            name=artifact.name,
            version=artifact.version,
            at_ms=now_ms(),
            by=by or getpass.getuser(),
        )
    with open_control(settings) as broker:
        broker.append([shadow_send(settings.topics.control, spoken, told)])
    if json:
        print_json({"language": spoken, "shadow": told})
    else:
        said = f"{told.name} {told.version} scores in the shadow" if told else "no model scores in the shadow"
        console.print(
            f"For {foreign(spoken)}, {foreign(said)} from now on; see moodwire_shadow_texts_total.", highlight=False
        )
