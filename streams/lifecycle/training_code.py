"""The way to the training code, which nothing that runs imports: its packages are an extra of gigabytes."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.artifact import Artifact
from streams.lifecycle.errors import TrainingUnavailable

if TYPE_CHECKING:
    from models.evaluation import LabelledSet

__all__ = ["chosen_datasets", "held_out_sets", "import_training"]


def import_training(name: str) -> Any:
    """Returns the module `models.training.<name>`.

    Raises `TrainingUnavailable`, naming the extra, when a package is missing.
    """
    try:
        return importlib.import_module(f"models.training.{name}")
    except ModuleNotFoundError as error:
        if error.name == "models.training":
            raise TrainingUnavailable("this installation has no training code; install moodwire[train,cpu]") from error
        if (error.name or "").startswith("models"):
            raise
        raise TrainingUnavailable(
            f"this command needs the package {error.name}, which comes with the training code: "
            "install moodwire[train,cpu]"
        ) from error


def chosen_datasets(paths: Sequence[Path] | None) -> Any:
    """Returns the data sets that the files describe; given none, those of the shipped model.

    Raises `TrainingUnavailable`, and `DatasetError` naming a file that is no description.
    """
    described = import_training("data.dataset")
    return described.load_datasets(paths) if paths else described.shipped_datasets()


def held_out_sets(paths: Sequence[Path], data: Path, artifact: Artifact) -> list[LabelledSet]:
    """Returns the test rows of the described data sets, for the heads that the artifact has. Raises as above."""
    sets: list[LabelledSet] = import_training("data.labelled").held_out_sets(chosen_datasets(paths), data, artifact)[0]
    return sets
