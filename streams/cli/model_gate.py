"""`moodwire model gate`: a version against the one in service."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from models import OnnxClassifier
from models.gate import Limits
from models.proof import load_proof_list
from streams.classifiers import registry_of
from streams.cli.model_options import (
    ByOption,
    LanguageOption,
    NameArgument,
    VersionArgument,
    artifact_in_service,
    now_ms,
)
from streams.cli.options import JsonOption, NamespaceOption, ProfileOption
from streams.cli.output import console, errors, foreign, print_json
from streams.lifecycle.gate import Asked, ask_gate, verdict_record
from streams.lifecycle.training_code import chosen_datasets, import_training
from streams.settings import Settings, load_settings

if TYPE_CHECKING:
    from models.artifact import Artifact
    from models.proof import LabelledSet

__all__ = ["GateQuestion", "gate", "judge_version", "show_verdict"]


@dataclass(frozen=True, slots=True)
class GateQuestion:
    """What both models are asked, as files: descriptions of data sets; `dataset` empty: those of the shipped model.

    `margin` is in points of accuracy.
    """

    data: Path
    dataset: Sequence[Path] = ()
    corrections: Sequence[Path] = ()
    golden: Sequence[Path] = ()
    proof: str = "finance-en"
    margin: float = 1.0
    allow_equal: bool = False

    def limits(self) -> Limits:
        return Limits(accuracy_margin=self.margin / 100, must_improve=not self.allow_equal)

    def asked(self, current: Artifact) -> Asked:
        """The rows, for the heads of the model in service. Raises `DatasetError` naming the file."""
        proof = load_proof_list(Path(self.proof) if self.proof.endswith((".yaml", ".yml")) else self.proof)
        return Asked(
            held_out=_held_out(self.dataset, self.data, current),
            corrections=[one for path in self.corrections for one in _held_out([path], path.parent, current)],
            golden=[one for path in self.golden for one in _held_out([path], path.parent, current)],
            proof=proof,
        )


def gate(
    name: NameArgument,
    version: VersionArgument,
    data: Annotated[Path, typer.Option("--data", "-d", help="Folder of the labelled data.", exists=True)],
    dataset: Annotated[
        list[Path] | None, typer.Option("--dataset", help="YAML of a data set; given none, those of the shipped model.")
    ] = None,
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
    question = GateQuestion(
        data,
        tuple(dataset or ()),
        tuple(corrections or ()),
        tuple(golden or ()),
        proof=proof,
        margin=margin,
        allow_equal=allow_equal,
    )
    record = judge_version(settings, name, version, question, language, by or getpass.getuser())
    if json:
        print_json(record)
    else:
        show_verdict(record)
    if not record["passed"]:
        raise typer.Exit(1)


def judge_version(
    settings: Settings, name: str, version: str, question: GateQuestion, language: str | None, by: str
) -> dict[str, Any]:
    """Ask the gate about a version, and keep what it said beside it."""
    registry = registry_of(settings)
    artifact = registry.load(name, version)
    current = artifact_in_service(settings, language or artifact.language)
    with (
        errors.status("asking the gate") as status,
        OnnxClassifier.load(current.path, threads=settings.threads) as before,
        OnnxClassifier.load(artifact.path, threads=settings.threads) as after,
    ):
        verdict = ask_gate(before, after, question.asked(current), question.limits(), on_step=status.update)
    record = verdict_record(verdict, by=by, now_ms=now_ms(), data={"data": question.data})
    registry.keep_verdict(name, version, record)
    return record


def _held_out(dataset: Sequence[Path], data: Path, artifact: Artifact) -> list[LabelledSet]:
    """The test rows of the data sets, for the heads that the artifact has."""
    evaluate = import_training("evaluate")
    sets: list[LabelledSet] = evaluate.held_out_sets(chosen_datasets(dataset), data, artifact)[0]
    return sets


def show_verdict(record: Mapping[str, Any]) -> None:
    """The verdict as a table."""
    table = Table("check", "", "what was found", header_style="bold")
    for check in record["checks"]:
        table.add_row(
            foreign(check["name"]),
            "[green]passed[/]" if check["passed"] else "[red]failed[/]",
            foreign(check["reason"]),
        )
    console.print(table)
    candidate, current = " ".join(record["candidate"]), " ".join(record["current"])
    said = "may take the place of" if record["passed"] else "may not take the place of"
    console.print(f"[bold]{foreign(candidate)}[/] {said} {foreign(current)}", highlight=False)
