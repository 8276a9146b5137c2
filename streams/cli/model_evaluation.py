"""The commands of `moodwire model` that evaluate, export and bench."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.table import Table

from models import OnnxClassifier, load_artifact, shipped
from models.artifact import open_artifact
from models.evaluation import Evaluation, evaluate_artifact
from models.evaluation.report import report_html
from models.evaluation.speed import measure_speed
from streams.classifiers import artifact_folders
from streams.cli.model_options import BehaviourOption, DatasetOption, OptionalDataOption, SoleLanguageOption
from streams.cli.options import JsonOption, ProfileOption
from streams.cli.output import console, errors, foreign, print_json
from streams.errors import MoodwireError
from streams.lifecycle.behaviour import behaviour_name, read_behaviour
from streams.lifecycle.service import Lifecycle
from streams.lifecycle.training_code import chosen_datasets, import_training
from streams.sample import generate
from streams.settings import load_settings
from streams.text.profile import Profile, load_profile

if TYPE_CHECKING:
    from models.evaluation import LabelledNames, LabelledSet

__all__ = ["bench", "evaluate", "export"]

ModelArgument = Annotated[
    str | None,
    typer.Argument(help="A model's folder, or the name of one that comes with moodwire; by default the profile's."),
]
ThreadsOption = Annotated[int, typer.Option("--threads", min=0, help="Cores to use; 0: all.")]


def evaluate(
    model: ModelArgument = None,
    data: OptionalDataOption = None,
    dataset: DatasetOption = None,
    behaviour: BehaviourOption = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write all figures to this JSON file.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a report with pictures to this file.")] = None,
    threads: ThreadsOption = 0,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    chosen = load_profile(load_settings(profile=profile).profile)
    folder = model_folder(model) if model else _sole_model(chosen)
    listed = read_behaviour(behaviour or behaviour_name(chosen.name, open_artifact(folder).language))
    sets = _labelled(folder, data, dataset or []) if data is not None else _Labelled()
    with console.status("scoring"):
        evaluation = evaluate_artifact(
            folder,
            sets.held_out,
            dev=sets.dev,
            names=sets.names,
            behaviour=listed,
            threads=threads,
            values=chosen.label_values,
        )
    written = msgspec.json.encode(evaluation)
    if out is not None:
        _write(out, msgspec.json.format(written, indent=2))
    if html is not None:
        _write(html, report_html(evaluation).encode())
        errors.print("the report quotes texts of the labelled data: keep it where those may be kept", style="yellow")
    if json:
        print_json(evaluation)
    else:
        _show(evaluation)


class Precision(StrEnum):
    """How an artifact keeps its numbers."""

    INT8 = "int8"
    FP16 = "fp16"
    FP32 = "fp32"


def export(
    run: Annotated[
        Path, typer.Argument(help="Folder that training wrote, or that of a network.", exists=True, file_okay=False)
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the artifact; its name is the model's.")],
    model_version: Annotated[str, typer.Option("--model-version", help="Raise it whenever the weights change.")],
    precision: Annotated[
        Precision, typer.Option("--precision", "-p", help="int8 and fp32 for processors, fp16 for GPUs.")
    ] = Precision.INT8,
    data: OptionalDataOption = None,
    dataset: DatasetOption = None,
    language: SoleLanguageOption = None,
    base_model: Annotated[str, typer.Option("--base-model", help="What it was made from, for the card.")] = "",
    licence: Annotated[str, typer.Option("--licence", help="Licence of the weights.")] = "Apache-2.0",
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=0, help="Tokens kept of a text; 0: the run's.")] = 0,
    behaviour: BehaviourOption = None,
    traced: Annotated[
        bool, typer.Option("--traced", help="Trace the network where its graph could be written.")
    ] = False,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    settings = load_settings(profile=profile)
    chosen = load_profile(settings.profile)
    language = language or Lifecycle(settings).sole_language()
    training = import_training("export.export")
    plan = training.ExportPlan(
        run=run,
        out=out,
        version=model_version,
        precision=precision.value,
        language=language,
        base_model=base_model,
        licence=licence,
        max_tokens=max_tokens,
        data=data,
        sets=chosen_datasets(dataset),
        behaviour=read_behaviour(behaviour or behaviour_name(chosen.name, language)),
        values=chosen.label_values,
        traced=traced,
    )
    with console.status(f"exporting {foreign(run)} in {precision.value}"):
        metrics = training.export(plan)
    if json:
        print_json(metrics)
        return
    console.print(f"[bold]{foreign(out)}[/] {foreign(model_version)} ({precision.value})", highlight=False)
    if data is None:
        errors.print("not compared, calibrated or measured: give --data for that", style="yellow")
        return
    console.print(_parity_table(metrics["parity"]))
    for one in metrics["sets"]:
        scored = one["score"]
        console.print(
            f"{foreign(one['name'])}: accuracy {scored['accuracy']:.4f}, macro-F1 {scored['macro_f1']:.4f}",
            highlight=False,
        )


def bench(
    models: Annotated[
        list[str] | None, typer.Argument(help="Folders or names of models; given none, those of the profile.")
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option("--texts", help="File of one text a line; given none, the sample feed's titles.", exists=True),
    ] = None,
    threads: ThreadsOption = 0,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    folders = [model_folder(one) for one in models or ()] or _own_models(
        load_profile(load_settings(profile=profile).profile)
    )
    lines = _lines(texts) if texts else _sample_titles()
    found = {}
    for name, folder in zip(models or [one.name for one in folders], folders, strict=True):
        with (
            OnnxClassifier.load(folder, threads=threads) as classifier,
            console.status(f"timing {foreign(name)}"),
        ):
            found[name] = measure_speed(classifier, lines)
    if json:
        print_json(found)
        return
    table = Table("model", "texts", "texts/s", "one alone, ms", "95 of 100 within, ms", header_style="bold")
    for name, speed in found.items():
        alone = f"{speed.alone_ms:.1f}", f"{speed.alone_slow_ms:.1f}"
        table.add_row(foreign(name), f"{speed.texts:,}", f"{speed.texts_per_second:,.0f}", *alone)
    console.print(table)


def _lines(path: Path) -> list[str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    found = [line for line in lines if line]
    if not found:
        raise MoodwireError(f"{path} holds no texts; give a file of one text a line")
    return found


def _sample_titles() -> list[str]:
    titles = (raw["title"] for raw in generate(seed=7) if isinstance(raw.get("title"), str))
    return list(dict.fromkeys(title for title in titles if title.strip()))[:512]


def _own_models(profile: Profile) -> list[Path]:
    """Returns the folders of the profile's classifiers, each once."""
    folders = list(dict.fromkeys(artifact_folders(profile).values()))
    if not folders:
        raise MoodwireError(f"the profile {profile.name} names no classifier; name a model")
    return folders


def _sole_model(profile: Profile) -> Path:
    folders = _own_models(profile)
    if len(folders) > 1:
        raise MoodwireError(
            f"the profile {profile.name} has several models; name one of {', '.join(map(str, folders))}"
        )
    return folders[0]


def model_folder(model: str) -> Path:
    """Returns the folder that `model` names: a path, or a shipped model."""
    path = Path(model)
    return path if path.is_dir() else shipped(model)


@dataclass(frozen=True, slots=True)
class _Labelled:
    """Labelled rows that decided nothing, those that decided, and texts with their names."""

    held_out: Sequence[LabelledSet] = ()
    dev: Sequence[LabelledSet] = ()
    names: Sequence[LabelledNames] = ()


def _labelled(folder: Path, data: Path, dataset: list[Path]) -> _Labelled:
    training, chosen = import_training("data.labelled"), chosen_datasets(dataset)
    artifact = load_artifact(folder)
    with console.status("reading the labelled data"):
        held_out, names = training.held_out_sets(chosen, data, artifact)
        return _Labelled(held_out, training.dev_sets(chosen, data, artifact), names)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise MoodwireError(
            f"{path} cannot be written ({error.strerror}); name a file in a folder that exists"
        ) from error
    errors.print(f"written to {foreign(path)}", highlight=False)


def _show(evaluation: Evaluation) -> None:
    console.print(
        f"[bold]{foreign(evaluation.name)} {foreign(evaluation.version)}[/] ({foreign(evaluation.precision)})",
        highlight=False,
    )
    if evaluation.sets:
        console.print(_sets_table(evaluation))
    for found in evaluation.names:
        console.print(
            f"names in {foreign(found.name)}: precision {found.precision:.3f}, recall {found.recall:.3f}, "
            f"F1 {found.f1:.3f}",
            highlight=False,
        )
    for one in evaluation.calibration:
        console.print(
            f"dev, {foreign(one.head)}: {one.shipped}; "
            f"fitted now {'the same' if one.fitted == one.shipped else one.fitted}; "
            f"calibration error {one.error_before:.4f}, fitted {one.error_after:.4f}; "
            f"95 % right from {one.threshold:.2f} on",
            highlight=False,
        )
    table = Table("behaviour", "passed", "of", header_style="bold")
    for kind in evaluation.behaviour:
        table.add_row(foreign(kind.name), str(kind.passed), str(kind.tests))
    console.print(table)


def _parity_table(parity: list[dict[str, Any]]) -> Table:
    table = Table(
        "exported against trained", "rows", "same label", "apart by", "accuracy", "trained", header_style="bold"
    )
    for one in parity:
        accuracies = f"{one['accuracy']:.4f}", f"{one['trained_accuracy']:.4f}"
        apart = f"{one['largest_difference']:.4f}"
        table.add_row(foreign(one["set"]), f"{one['rows']:,}", f"{one['agreement']:.4f}", apart, *accuracies)
    return table


def _sets_table(evaluation: Evaluation) -> Table:
    table = Table("set", "rows", "accuracy", "macro-F1", "calibr.\nerror", "opposite\npolarity", header_style="bold")
    table.columns[0].no_wrap = True
    for one in evaluation.sets:
        scored = one.score
        opposite = "" if scored.opposite_polarity is None else f"{100 * scored.opposite_polarity:.2f} %"
        figures = (f"{figure:.4f}" for figure in (scored.accuracy, scored.macro_f1, scored.calibration_error))
        table.add_row(foreign(one.name), f"{scored.rows:,}", *figures, opposite)
    return table
