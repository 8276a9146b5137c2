"""What the commands of `moodwire model` share: their options, who decides, and how they follow a call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress as Bar
from rich.progress import TaskID

from models.training_call import DATA_HELP, DATASET_HELP
from streams.cli.output import errors, foreign, progress_bar
from streams.lifecycle.service import Lifecycle
from streams.lifecycle.training_set import TrainingSet
from streams.settings import Settings

__all__ = [
    "BehaviourOption",
    "DataOption",
    "DatasetOption",
    "GoldenOption",
    "LanguageOption",
    "NameArgument",
    "OptionalDataOption",
    "SoleLanguageOption",
    "VersionArgument",
    "following",
]

NameArgument = Annotated[str, typer.Argument(help="The model's name.")]
VersionArgument = Annotated[str, typer.Argument(help="Its version.")]
LanguageOption = Annotated[str | None, typer.Option("--language", "-l", help="Language; by default the model's own.")]
SoleLanguageOption = Annotated[
    str | None, typer.Option("--language", "-l", help="Language; by default the profile's, if it has one alone.")
]
DataOption = Annotated[Path, typer.Option("--data", "-d", help=DATA_HELP, exists=True, file_okay=False)]
OptionalDataOption = Annotated[Path | None, typer.Option("--data", "-d", help=DATA_HELP, exists=True, file_okay=False)]
DatasetOption = Annotated[list[Path] | None, typer.Option("--dataset", help=DATASET_HELP)]
GoldenOption = Annotated[
    list[Path] | None, typer.Option("--golden", help="YAML of a set of which no row may be lost.", exists=True)
]
BehaviourOption = Annotated[
    str | None,
    typer.Option(
        "--behaviour", help="Tests of behaviour: a YAML, or a shipped list; by default that of profile and language."
    ),
]


@contextmanager
def following(settings: Settings, *, quiet: bool = False) -> Iterator[Lifecycle]:
    """The lifecycle of the namespace, its calls followed on the terminal; `quiet` shows warnings alone."""
    with progress_bar(quiet=quiet) as bar:
        yield Lifecycle(settings, _Shown(bar))


class _Shown:
    """`Progress` on the terminal: one line that names the step and counts items; warnings stay."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task: TaskID | None = None

    def step(self, text: str) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(foreign(text), total=None)

    def items(self, done: int) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=done)

    def warn(self, text: str) -> None:
        errors.print(foreign(text), style="yellow", soft_wrap=True)

    def collected(self, training_set: TrainingSet, conflicts: int) -> None:
        for head, rows in training_set.rows.items():
            errors.print(f"{rows:,} corrections of {foreign(head)}", highlight=False)
        if conflicts:
            errors.print(
                f"[yellow]{conflicts:,} are held back because people disagree:[/] moodwire model review",
                highlight=False,
            )
        for one in training_set.left_out[:5]:
            errors.print(
                f"[yellow]left out[/] {foreign(one.item)} {foreign(one.head)}: {foreign(one.reason)}", highlight=False
            )
        if len(training_set.left_out) > 5:
            errors.print(f"… and {len(training_set.left_out) - 5:,} more", highlight=False)
