"""Data that the embedded broker and archive kept in the working folder, where they were by default at first."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from streams.settings.fields import Settings

__all__ = ["EARLIER_NAME", "earlier_data"]

EARLIER_NAME = ".moodwire"


def earlier_data(settings: Settings, folders: Iterable[Path] | None = None) -> Path | None:
    """Returns the first folder `.moodwire` with a database in `folders`, by default in the working folder.

    None if the data folder was chosen, or nothing is found.
    """
    if "data_dir" in settings.model_fields_set:
        return None
    for folder in folders or (Path.cwd(),):
        if next((folder / EARLIER_NAME).glob("*/*.db"), None) is not None:
            return folder / EARLIER_NAME
    return None
