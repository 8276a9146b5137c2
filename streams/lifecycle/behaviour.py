"""Which tests of behaviour a model must pass where none are named: the shipped list of its profile and language."""

from __future__ import annotations

from models.evaluation import behaviour_lists

__all__ = ["behaviour_name"]


def behaviour_name(profile: str, language: str) -> str:
    """Returns the name of the shipped list of a profile, by its name, and a language; empty if there is none."""
    name = f"{profile}-{language}"
    return name if name in behaviour_lists() else ""
