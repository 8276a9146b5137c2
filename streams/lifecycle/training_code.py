"""The way to the training code, which nothing that runs imports: its packages are an extra of gigabytes."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streams.errors import MoodwireError

__all__ = ["chosen_datasets", "import_training"]


def import_training(name: str) -> Any:
    """Return the module `models.training.<name>`; raises `MoodwireError` naming the extra when a package is missing."""
    try:
        return importlib.import_module(f"models.training.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("models"):
            raise
        raise MoodwireError(
            f"this command needs the package {error.name}, which comes with the training code: "
            "install moodwire[train,cpu]"
        ) from error


def chosen_datasets(paths: Sequence[Path] | None) -> Any:
    """Return the data sets that the files describe; given none, those of the shipped model.

    Raises `MoodwireError` without the training code, and `DatasetError` naming a file that is no description.
    """
    described = import_training("dataset")
    return described.load_datasets(paths) if paths else described.shipped_datasets()
