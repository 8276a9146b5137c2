"""`moodwire model retrain`: corrections into a candidate, and the candidate before the gate."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from models.training_call import OptionValue
from streams.cli.model_gate import show_result
from streams.cli.model_options import (
    DataOption,
    DatasetOption,
    GoldenOption,
    SoleLanguageOption,
    following,
)
from streams.cli.options import ByOption, JsonOption, NamespaceOption, ProfileOption, person
from streams.cli.output import print_json
from streams.errors import SettingsError
from streams.lifecycle.retrain import RetrainRequest
from streams.settings import load_settings

__all__ = ["retrain", "training_options"]


class Command(StrEnum):
    """How a candidate is made."""

    TRAIN = "train"
    DISTIL = "distil"


def retrain(
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; the same one goes on.")],
    dataset: DatasetOption = None,
    command: Annotated[Command, typer.Option("--command", help="How it is made.")] = Command.TRAIN,
    words: Annotated[
        str, typer.Option("--train-args", help='Options of that command, as "--encoder all-MiniLM-L6-v2 --epochs 2".')
    ] = "--encoder all-MiniLM-L6-v2",
    python: Annotated[
        str, typer.Option("--python", help="The Python that has the extra `train`; by default this one.")
    ] = sys.executable,
    version: Annotated[str, typer.Option("--model-version", help="The candidate's; by default the next one.")] = "",
    weight: Annotated[float, typer.Option("--weight", help="What a correction counts, in other rows.", min=0.1)] = 2.0,
    min_corrections: Annotated[
        int, typer.Option("--min-corrections", help="With fewer no candidate is trained.", min=1)
    ] = 50,
    golden: GoldenOption = None,
    margin: Annotated[float, typer.Option("--margin", help="Points of accuracy that may be lost.", min=0)] = 1.0,
    language: SoleLanguageOption = None,
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    options = training_options(words)
    with following(load_settings(namespace=namespace, profile=profile), quiet=json) as lifecycle:
        found = lifecycle.retrain(
            RetrainRequest(
                language=language or lifecycle.sole_language(),
                data=data,
                out=out,
                by=person(by),
                datasets=tuple(dataset or ()),
                command=command.value,
                options=options,
                python=python,
                version=version,
                weight=weight,
                min_corrections=min_corrections,
                golden=tuple(golden or ()),
                margin=margin,
            )
        )
    if json:
        print_json({"rows": found.training_set.rows, "conflicts": found.conflicts, "verdict": found.gate.record()})
    else:
        show_result(found.gate)
    if not found.gate.passed:
        raise typer.Exit(1)


def training_options(words: str) -> dict[str, OptionValue]:
    """Returns the options of `--train-args` by name: a value, a list where one is repeated, or True without a value.

    >>> training_options("--encoder mine --teacher a --teacher b --restart")
    {'encoder': 'mine', 'teacher': ['a', 'b'], 'restart': True}

    Raises `SettingsError` for a word that belongs to no option.
    """
    given: dict[str, list[str]] = {}
    values: list[str] | None = None
    for word in _split(words):
        if word.startswith("--"):
            name, equals, value = word.removeprefix("--").partition("=")
            values = given.setdefault(name, [])
            values += [value] if equals else []
        elif values is None:
            raise SettingsError(f"--train-args: {word!r} belongs to no option; begin with one, as --encoder NAME")
        else:
            values.append(word)
    return {name: _value(values) for name, values in given.items()}


def _split(words: str) -> list[str]:
    try:
        return shlex.split(words)
    except ValueError as error:
        raise SettingsError(f"--train-args {words!r} cannot be read: {error}") from error


def _value(values: list[str]) -> OptionValue:
    if not values:
        return True
    return values[0] if len(values) == 1 else values
