"""A candidate from feedback, made by the training commands in a process of their own.

    feedback ─► review ─► data sets ─┐
    data sets of the shipped model ──┴─► model train ─► model export ─► registry ─► gate

The training code needs packages of gigabytes that nothing else does: it runs as `moodwire model train|distil` and
`export`, in this Python or in another one that has them, and goes on in the same folder when it was cut off.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from streams.lifecycle.errors import TrainingFailed, TrainingUnavailable

__all__ = ["OptionValue", "Recipe", "next_version", "shipped_descriptions", "train_candidate"]

OptionValue = str | bool | list[str]
"""Of an option: its value, a list where it is repeated, True where it has none."""

_STANDARD_ERROR = 2

_MAIN = "from streams.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a candidate is made.

    `command` is `train` or `distil`, and `options` are further options of it by their names, with underscores; `python`
    runs it. `sets` are descriptions of data sets, whose files lie in `data` unless they name another place. The run and
    the artifact go to `out`.
    """

    data: Path
    sets: Sequence[Path]
    out: Path
    name: str
    version: str
    command: str = "train"
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    python: str = sys.executable

    @property
    def artifact(self) -> Path:
        """Where the candidate is written; the folder's name is the model's."""
        return self.out / self.version / self.name

    def calls(self) -> list[list[str]]:
        """The commands, in order."""
        sets = [word for path in self.sets for word in ("--dataset", str(path))]
        run = self.out / "run"
        moodwire = [self.python, "-c", _MAIN, "model"]
        train = [self.command, "--data", str(self.data), "--out", str(run), *sets, *_words(self.options)]
        export = ["export", str(run), str(self.artifact), "--model-version", self.version, "--data", str(self.data)]
        return [[*moodwire, *train], [*moodwire, *export, *sets]]


def _words(options: Mapping[str, OptionValue]) -> Iterator[str]:
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        for one in value if isinstance(value, list) else [value]:
            yield from (flag,) if one is True else (flag, str(one))


def shipped_descriptions() -> list[Path]:
    """The data sets that the shipped model learns from, as files."""
    folder = Path(str(resources.files("models"))) / "training" / "data" / "datasets"
    return sorted(folder.glob("*.yaml"))


def next_version(current: str, taken: Sequence[str]) -> str:
    """The version after `current` and all that are taken: its last number raised, or `.1` added.

    >>> next_version("1.0.0", ["1.0.1"])
    '1.0.2'
    """
    head, dot, last = current.rpartition(".")
    number = int(last) if last.isdecimal() else 0
    stem = head + dot if last.isdecimal() else f"{current}."
    while True:
        number += 1
        if f"{stem}{number}" not in taken:
            return f"{stem}{number}"


def train_candidate(recipe: Recipe) -> Path:
    """Run the recipe; the artifact's folder. What the commands say goes to standard error.

    Raises `MoodwireError` naming the command that failed.
    """
    for call in recipe.calls():
        try:
            done = subprocess.run(call, stdout=_STANDARD_ERROR, check=False)  # noqa: S603  # our own command line
        except OSError as error:
            raise TrainingUnavailable(
                f"{call[0]} cannot be started ({error.strerror}); name a Python with --python"
            ) from error
        if done.returncode != 0:
            raise TrainingFailed(
                call[4],
                f"it ended with exit code {done.returncode}; its output is above. The same command again goes on "
                "where it was",
            )
    return recipe.artifact
