"""Corrections become a candidate, and the candidate is compared with the version in service.

    review ─► training set ─► train, export (a process of its own) ─► registry ─► gate ─► Retrained

It is not promoted: that is a decision of people.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from models.artifact import Artifact
from models.registry import Entry, Registry
from models.training_call import OptionValue, TrainingRequest
from streams.archive import closing_archive, open_archive
from streams.classifiers import registry_of
from streams.lifecycle.behaviour import behaviour_name
from streams.lifecycle.candidate import next_version, train_candidate
from streams.lifecycle.corrections import read_review
from streams.lifecycle.decisions import artifact_in_service
from streams.lifecycle.errors import TooFewCorrections
from streams.lifecycle.feedback import Review
from streams.lifecycle.gate import GateRequest, GateResult, compare
from streams.lifecycle.progress import Progress
from streams.lifecycle.training_code import chosen_datasets, read_datasets
from streams.lifecycle.training_set import TrainingSet, build_training_set
from streams.settings import Settings
from streams.text.profile import Profile, load_profile

__all__ = ["RetrainRequest", "Retrained", "retrain"]


@dataclass(frozen=True, slots=True)
class RetrainRequest:
    """Train a candidate for `language` with the corrections that are agreed, and ask the gate about it.

    `out` is the folder of the run; the same one goes on after an interruption. `command` and `options` say how it is
    trained (`TrainingRequest`), `python` which Python has the training packages. `version` empty is the next one. A
    correction counts as much as `weight` other rows. `datasets`, `golden` and `margin` are as in `GateRequest`.
    """

    language: str
    data: Path
    out: Path
    by: str
    datasets: Sequence[Path] = ()
    command: Literal["train", "distil"] = "train"
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    python: str = sys.executable
    version: str = ""
    weight: float = 2.0
    min_corrections: int = 50
    golden: Sequence[Path] = ()
    margin: float = 1.0


@dataclass(frozen=True, slots=True)
class Retrained:
    """The candidate, the corrections that it learnt, how many are held back, and what the gate found."""

    candidate: Entry
    training_set: TrainingSet
    conflicts: int
    gate: GateResult


def retrain(settings: Settings, request: RetrainRequest, progress: Progress, clock: Callable[[], int]) -> Retrained:
    """Trains, exports, takes in and compares a candidate; hours with the shipped data sets.

    Raises `TooFewCorrections`, `TrainingUnavailable`, `TrainingFailed`, and what `compare` raises.
    """
    current = artifact_in_service(settings, request.language, progress)
    found = read_review(settings)
    built = asyncio.run(_build(settings, found, current, request.out / "corrections", request.weight))
    progress.collected(built, len(found.conflicts))
    usable = sum(built.rows.values())
    if usable < request.min_corrections:
        raise TooFewCorrections(usable, request.min_corrections)
    registry = registry_of(settings)
    version = request.version or next_version(current.version, _taken(registry, current.name))
    progress.step(f"training {current.name} {version}")
    training = _training(request, current, version, built, load_profile(settings.profile))
    entry = registry.add(train_candidate(request.python, training))
    result = compare(settings, _question(request, entry, built), progress, clock())
    return Retrained(entry, built, len(found.conflicts), result)


def _taken(registry: Registry, name: str) -> list[str]:
    return [entry.version for entry in registry.entries() if entry.name == name]


def _training(
    request: RetrainRequest, current: Artifact, version: str, built: TrainingSet, profile: Profile
) -> TrainingRequest:
    """Returns the request to the training process: the usual data sets and the corrections."""
    return TrainingRequest(
        command=request.command,
        data=str(request.data),
        datasets=[*chosen_datasets(request.datasets), *read_datasets(built.descriptions)],
        run=str(request.out / "run"),
        artifact=str(request.out / version / current.name),
        model_version=version,
        language=request.language,
        behaviour=behaviour_name(profile.name, request.language),
        values=profile.label_values,
        options=request.options,
    )


def _question(request: RetrainRequest, entry: Entry, built: TrainingSet) -> GateRequest:
    return GateRequest(
        entry.name,
        entry.version,
        request.data,
        request.by,
        datasets=request.datasets,
        corrections=built.descriptions,
        golden=request.golden,
        margin=request.margin,
        language=request.language,
    )


async def _build(settings: Settings, found: Review, current: Artifact, out: Path, weight: float) -> TrainingSet:
    heads = {name: head.labels for name, head in current.heads.items() if head.kind != "names"}
    entity_head = next(iter(current.of_kind("entity")), "")
    async with closing_archive(open_archive(settings.archive, settings.elastic)) as archive:
        return await build_training_set(found, archive, heads, out, entity_head=entity_head, weight=weight)
