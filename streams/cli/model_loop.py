"""The commands of `moodwire model` that list, retrain, promote, roll back and shadow."""

from __future__ import annotations

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
