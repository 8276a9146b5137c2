"""The commands of `moodwire model` that list, take in, judge and shadow; promotion and feedback stand beside."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from models import OnnxClassifier, load_artifact
from models.gate import Limits
from models.proof import load_proof_list
from models.registry import Entry, Registry
from streams.app import shipped_models
from streams.cli import model_feedback, model_promote
from streams.cli.model_options import (
    ByOption,
    LanguageOption,
    NameArgument,
    VersionArgument,
    control_of,
    now_ms,
    open_control,
)
from streams.cli.options import JsonOption, NamespaceOption, ProfileOption
from streams.cli.output import console, print_json
from streams.cli.training_code import import_training
from streams.errors import SettingsError
from streams.learning.control import Control, Shadow, shadow_send
from streams.learning.gating import Asked, ask_gate, verdict_record
from streams.learning.promoting import in_service
from streams.settings import load_settings
from streams.text.profile import load_profile

if TYPE_CHECKING:
    from models.artifact import Artifact
    from models.proof import LabelledSet

__all__ = ["held_out", "register"]

DataOption = Annotated[Path, typer.Option("--data", "-d", help="Folder of the labelled data.", exists=True)]
DatasetOption = Annotated[
    list[Path] | None, typer.Option("--dataset", help="YAML of a data set; given none, those of the shipped model.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("list", help="The versions at hand: figures, which is in service, which is in the shadow.")(show_models)
    app.command("add", help="Take a model's folder in as a version; it is checked, copied and never changed.")(add)
    app.command("gate", help="Compare a version with the one in service; what is found is kept beside it.")(gate)
    app.command("shadow", help="Let a version score beside the one in service; its scores count nowhere.")(shadow)
    model_promote.register(app)
    model_feedback.register(app)


def show_models(namespace: NamespaceOption = None, profile: ProfileOption = None, json: JsonOption = False) -> None:
    settings = load_settings(namespace=namespace, profile=profile)
    control, shipped = control_of(settings), shipped_models(load_profile(settings.profile))
    rows = [_row(entry, control, shipped) for entry in Registry(settings.models).entries()]
    if json:
        print_json(rows)
        return
    table = Table("model", "version", "language", "where", "accuracy", "now", header_style="bold")
    for row in rows:
        figures = ", ".join(f"{head} {figure:.3f}" for head, figure in row["accuracy"].items())
        table.add_row(row["name"], row["version"], row["language"], row["where"], figures, ", ".join(row["now"]))
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
        console.print(f"{entry.name} {entry.version} is at hand in {entry.path}", highlight=False, soft_wrap=True)


def gate(
    name: NameArgument,
    version: VersionArgument,
    data: DataOption,
    dataset: DatasetOption = None,
    corrections: Annotated[
        list[Path] | None, typer.Option("--corrections", help="YAML of a data set made from feedback.", exists=True)
    ] = None,
    golden: Annotated[
        list[Path] | None, typer.Option("--golden", help="YAML of a set of which no row may be lost.", exists=True)
    ] = None,
    proof: Annotated[
        str, typer.Option("--proof", help="Tests of behaviour: a YAML, or a shipped list.")
    ] = "finance-en",
    margin: Annotated[
        float, typer.Option("--margin", help="Points of accuracy that may be lost on a held-out set.", min=0)
    ] = 1.0,
    allow_equal: Annotated[bool, typer.Option("--allow-equal", help="No worse is enough.")] = False,
    language: LanguageOption = None,
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    settings = load_settings(namespace=namespace, profile=profile)
    registry = Registry(settings.models)
    artifact = load_artifact(registry.find(name, version))
    shipped = shipped_models(load_profile(settings.profile))
    serving = in_service(control_of(settings), shipped, language or artifact.language)
    current = load_artifact(registry.find(serving.name, serving.version))
    asked = Asked(
        [*held_out(dataset, data, current), *(one for path in corrections or () for one in _beside(path, current))],
        [one for path in golden or () for one in _beside(path, current)],
        load_proof_list(Path(proof) if proof.endswith((".yaml", ".yml")) else proof),
    )
    limits = Limits(accuracy_margin=margin / 100, must_improve=not allow_equal)
    with (
        console.status("asking the gate") as status,
        OnnxClassifier.load(current.path, threads=settings.threads) as before,
        OnnxClassifier.load(artifact.path, threads=settings.threads) as after,
    ):
        verdict = ask_gate(before, after, asked, limits, on_step=status.update)
    record = verdict_record(verdict, by=by or getpass.getuser(), now_ms=now_ms(), data={"data": data})
    registry.keep_verdict(name, version, record)
    if json:
        print_json(record)
    else:
        _show_verdict(record)
    if not verdict.passed:
        raise typer.Exit(1)


def held_out(dataset: list[Path] | None, data: Path, artifact: Artifact) -> list[LabelledSet]:
    """The test rows of the data sets, for the heads that the artifact has."""
    described, evaluate = import_training("dataset"), import_training("evaluate")
    chosen = described.load_datasets(dataset) if dataset else described.shipped_datasets()
    sets: list[LabelledSet] = evaluate.held_out_sets(chosen, data, artifact)[0]
    return sets


def _beside(path: Path, artifact: Artifact) -> list[LabelledSet]:
    """The test rows of a data set whose file lies beside its description."""
    return held_out([path], path.parent, artifact)


def _show_verdict(record: Mapping[str, Any]) -> None:
    table = Table("check", "", "what was found", header_style="bold")
    for check in record["checks"]:
        table.add_row(check["name"], "[green]passed[/]" if check["passed"] else "[red]failed[/]", check["reason"])
    console.print(table)
    candidate, current = " ".join(record["candidate"]), " ".join(record["current"])
    said = "may take the place of" if record["passed"] else "may not take the place of"
    console.print(f"[bold]{candidate}[/] {said} {current}", highlight=False)


def shadow(
    name: Annotated[str | None, typer.Argument(help="The model's name.")] = None,
    version: Annotated[str | None, typer.Argument(help="Its version.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the shadow of the language.")] = False,
    language: LanguageOption = None,
    namespace: NamespaceOption = None,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    settings = load_settings(namespace=namespace)
    if stop == (name is not None and version is not None):
        raise SettingsError("name a model and its version, or give --stop")
    if stop:
        told, spoken = None, language or "en"
    else:
        artifact = load_artifact(Registry(settings.models).find(str(name), str(version)))
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
        console.print(f"For {spoken}, {said} from now on; see moodwire_shadow_texts_total.", highlight=False)
