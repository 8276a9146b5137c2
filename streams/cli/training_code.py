"""The way to the training code, which nothing that runs imports: its packages are an extra of gigabytes."""

from __future__ import annotations

import importlib
from typing import Any

from streams.errors import MoodwireError

__all__ = ["import_training"]


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
