"""Tests of behaviour: the list that somebody names, or the shipped one of a profile and a language."""

from __future__ import annotations

from models.evaluation import BehaviourList, behaviour_lists, load_behaviour_list
from models.evaluation.behaviour_file import BehaviourFile
from streams.userfiles import WrongFile, read_file, shaped

__all__ = ["behaviour_name", "read_behaviour"]


def behaviour_name(profile: str, language: str) -> str:
    """Returns the name of the shipped list of a profile, by its name, and a language; empty if there is none."""
    name = f"{profile}-{language}"
    return name if name in behaviour_lists() else ""


def read_behaviour(named: str) -> BehaviourList | None:
    """Returns the list of a YAML file (a name that ends in .yaml or .yml), or the shipped one; None of an empty name.

    Raises `WrongFile` with every mistake of the file, and `ModelError` for a name that is no shipped list's.
    """
    if not named:
        return None
    if not named.endswith((".yaml", ".yml")):
        return load_behaviour_list(named)
    file = read_file(named)
    found = shaped(file, BehaviourFile)
    if found is None or file.problems:
        raise WrongFile(file.problems)
    return BehaviourList.of(found)
