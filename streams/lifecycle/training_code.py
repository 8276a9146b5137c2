"""The way to the training code, which nothing that runs imports: its packages are an extra of gigabytes."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.artifact import Artifact
from models.dataset import DataSet
from streams.lifecycle.errors import TrainingUnavailable
from streams.userfiles import UserFile, WrongFile, read_file, shaped

if TYPE_CHECKING:
    from models.evaluation import LabelledSet

__all__ = ["chosen_datasets", "held_out_sets", "import_training", "read_datasets", "training_packages"]


def import_training(name: str) -> Any:
    """Returns the module `models.training.<name>`.

    Raises `TrainingUnavailable`, naming the extra, when a package is missing.
    """
    with training_packages():
        return importlib.import_module(f"models.training.{name}")


@contextmanager
def training_packages() -> Iterator[None]:
    """What runs inside may import the packages of training. Raises `TrainingUnavailable`, naming the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name == "models.training":
            raise TrainingUnavailable("this installation has no training code; install moodwire[train,cpu]") from error
        if (error.name or "").startswith("models"):
            raise
        raise TrainingUnavailable(
            f"this command needs the package {error.name}, which comes with the training code: "
            "install moodwire[train,cpu], or run `make train-env` and use its moodwire"
        ) from error


def chosen_datasets(paths: Sequence[Path] | None) -> list[DataSet]:
    """Returns the data sets that the files describe; given none, those of the shipped model.

    Raises `TrainingUnavailable`, and `WrongFile` with every mistake of the files.
    """
    if paths:
        return read_datasets(paths)
    shipped: list[DataSet] = import_training("data.dataset").shipped_datasets()
    return shipped


def read_datasets(paths: Sequence[Path]) -> list[DataSet]:
    """Returns the data sets that the files describe. Raises `WrongFile` with every mistake of all files."""
    files = [read_file(path) for path in paths]
    read = [(file, shaped(file, DataSet)) for file in files]
    found = [(file, one) for file, one in read if one is not None]
    _check_agreement(found)
    problems = tuple(problem for file in files for problem in file.problems)
    if problems:
        raise WrongFile(problems)
    return [one for _, one in found]


def _check_agreement(found: Sequence[tuple[UserFile, DataSet]]) -> None:
    """Data sets that teach one head must agree on its labels and their order."""
    first: dict[str, tuple[UserFile, DataSet]] = {}
    for file, one in found:
        for head in filter(None, (one.head, one.title_head)):
            other, known = first.setdefault(head, (file, one))
            if known.head_labels != one.head_labels:
                labels = ", ".join(known.head_labels)
                file.problem(("head_labels",), f"{other.path} gives the head '{head}' [{labels}]; write the same list")


def held_out_sets(paths: Sequence[Path], data: Path, artifact: Artifact) -> list[LabelledSet]:
    """Returns the test rows of the described data sets, for the heads that the artifact has. Raises as above."""
    sets: list[LabelledSet] = import_training("data.labelled").held_out_sets(chosen_datasets(paths), data, artifact)[0]
    return sets
