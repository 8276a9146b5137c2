"""`moodwire model retrain`: corrections into a candidate, and the candidate before the gate."""

from __future__ import annotations

import asyncio
import getpass
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from models.artifact import Artifact
from streams.archive import open_archive
from streams.classifiers import registry_of
from streams.cli.model_feedback import read_review
from streams.cli.model_gate import GateQuestion, judge_version, show_verdict
from streams.cli.model_options import ByOption, artifact_in_service
from streams.cli.options import JsonOption, NamespaceOption, ProfileOption
from streams.cli.output import errors, foreign, print_json
from streams.errors import MoodwireError
from streams.lifecycle.candidate import Recipe, next_version, shipped_descriptions, train_candidate
from streams.lifecycle.feedback import Review
from streams.lifecycle.training_set import TrainingSet, build_training_set
from streams.settings import Settings, load_settings

__all__ = ["retrain"]


def retrain(
    data: Annotated[Path, typer.Option("--data", "-d", help="Folder of the labelled data.", exists=True)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; the same one goes on.")],
    dataset: Annotated[
        list[Path] | None, typer.Option("--dataset", help="YAML of a data set; given none, those of the shipped model.")
    ] = None,
    command: Annotated[str, typer.Option("--command", help="How it is made: train or distil.")] = "train",
    words: Annotated[
        str, typer.Option("--with", help='Further words for that command, as "--encoder all-MiniLM-L6-v2".')
    ] = "--encoder all-MiniLM-L6-v2",
    python: Annotated[
        str, typer.Option("--python", help="The Python that has the extra `train`; by default this one.")
    ] = sys.executable,
    version: Annotated[str, typer.Option("--model-version", help="The candidate's; by default the next one.")] = "",
    weight: Annotated[float, typer.Option("--weight", help="What a correction counts, in other rows.", min=0.1)] = 2.0,
    least: Annotated[int, typer.Option("--least", help="Corrections that it takes.", min=1)] = 50,
    golden: Annotated[
        list[Path] | None, typer.Option("--golden", help="YAML of a set of which no row may be lost.", exists=True)
    ] = None,
    margin: Annotated[float, typer.Option("--margin", help="Points of accuracy that may be lost.", min=0)] = 1.0,
    language: Annotated[str, typer.Option("--language", "-l", help="Language of the model.")] = "en",
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    settings = load_settings(namespace=namespace, profile=profile)
    registry = registry_of(settings)
    current = artifact_in_service(settings, language)
    found = read_review(settings)
    built = asyncio.run(_build(settings, found, current, out / "corrections", weight))
    _tell(found, built)
    if sum(built.rows.values()) < least:
        raise MoodwireError(
            f"{sum(built.rows.values()):,} corrections are agreed and usable, --least asks for {least:,}: collect more"
        )
    taken = [entry.version for entry in registry.entries() if entry.name == current.name]
    recipe = Recipe(
        data=data,
        sets=[*(dataset or shipped_descriptions()), *built.descriptions],
        out=out,
        name=current.name,
        version=version or next_version(current.version, taken),
        command=command,
        options=shlex.split(words),
        python=python,
    )
    entry = registry.add(train_candidate(recipe))
    question = GateQuestion(data, tuple(dataset or ()), tuple(built.descriptions), tuple(golden or ()), margin=margin)
    record = judge_version(settings, entry.name, entry.version, question, language, by or getpass.getuser())
    if json:
        print_json({"rows": built.rows, "conflicts": len(found.conflicts), "verdict": record})
    else:
        show_verdict(record)
    if not record["passed"]:
        raise typer.Exit(1)


async def _build(settings: Settings, found: Review, current: Artifact, out: Path, weight: float) -> TrainingSet:
    heads: dict[str, Any] = {name: head.labels for name, head in current.heads.items() if head.kind != "names"}
    entity_head = next(iter(current.of_kind("entity")), "")
    archive = open_archive(settings.archive, settings.elastic)
    try:
        return await build_training_set(found, archive, heads, out, entity_head=entity_head, weight=weight)
    finally:
        await archive.close()


def _tell(found: Review, built: TrainingSet) -> None:
    for head, rows in built.rows.items():
        errors.print(f"{rows:,} corrections of {foreign(head)}", highlight=False)
    if found.conflicts:
        errors.print(
            f"[yellow]{len(found.conflicts):,} are held back because people disagree:[/] moodwire model review",
            highlight=False,
        )
    for one in built.left_out[:5]:
        errors.print(
            f"[yellow]left out[/] {foreign(one.item)} {foreign(one.head)}: {foreign(one.reason)}", highlight=False
        )
    if len(built.left_out) > 5:
        errors.print(f"… and {len(built.left_out) - 5:,} more", highlight=False)
