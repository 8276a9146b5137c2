"""Data that the embedded broker and archive kept in the working folder, where they were by default at first."""

from __future__ import annotations

import os
from collections.abc import Iterable
from glob import glob
from pathlib import Path

from streams.settings.fields import Settings

__all__ = ["EARLIER_NAME", "earlier_data", "namespaces_in"]

EARLIER_NAME = ".moodwire"


def earlier_data(settings: Settings, folders: Iterable[Path] | None = None) -> Path | None:
    """Returns the first folder `.moodwire` with a database in `folders`, by default in the working folder.

    None if the data folder was chosen, or nothing is found.
    """
    if "data_dir" in settings.model_fields_set:
        return None
    for folder in folders or (Path.cwd(),):
        if namespaces_in(folder / EARLIER_NAME):
            return folder / EARLIER_NAME
    return None


def namespaces_in(data_dir: Path) -> list[str]:
    """Returns the namespaces that have a database in a data folder, in order."""
    # unlike `Path.glob` it passes over folders that vanish meanwhile
    found = glob("*/*.db", root_dir=data_dir)  # noqa: PTH207
    return sorted({file.partition(os.sep)[0] for file in found})
