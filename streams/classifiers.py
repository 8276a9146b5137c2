"""From settings to loaded classifiers: which version speaks each language, and how it is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from models import Classifier, OnnxClassifier
from models.artifact import MANIFEST, Artifact, ArtifactError, open_artifact, shipped
from models.registry import Registry
from streams.errors import SettingsError
from streams.serving.control import Control
from streams.serving.follower import active_models
from streams.serving.model_cache import OpenModel
from streams.settings import Settings
from streams.text.answers import Answers, check_answers
from streams.text.profile import Profile, load_profile

__all__ = [
    "CUDA",
    "answers_of",
    "artifact_folders",
    "check_classifiers",
    "classifiers_of",
    "model_opener",
    "registry_of",
    "shipped_models",
]

CUDA = "CUDAExecutionProvider"
"""onnxruntime's name for an NVIDIA GPU."""


def artifact_folders(profile: Profile) -> dict[str, Path]:
    """The folder of each language's classifier: one beside the profile, or a shipped model's.

    Raises `SettingsError` for a classifier that is neither.
    """
    return {language: _artifact_folder(profile, named) for language, named in profile.classifiers.items()}


def _artifact_folder(profile: Profile, named: str) -> Path:
    beside = profile.folder / named
    if (beside / MANIFEST).is_file():
        return beside
    try:
        return shipped(named)
    except ArtifactError as error:
        raise SettingsError(
            f"{profile.folder / 'profile.yaml'}: classifier: {named!r} is no folder with a model beside it, and {error}"
        ) from error


def answers_of(artifact: Artifact) -> Answers:
    """Returns what a model answers, as its manifest states it."""
    text, entity = artifact.of_kind("text"), artifact.of_kind("entity")
    return Answers(
        f"{artifact.name} {artifact.version}",
        {name: head.labels for name, head in text.items()},
        {name: head.labels for name, head in entity.items()},
    )


def check_classifiers(profile: Profile, classifiers: Iterable[Classifier]) -> None:
    """Raises `WrongFile` where profile.yaml declares other labels than the classifiers answer, or counts by a head that
    none of them answers."""
    check_answers(profile, [Answers(f"{one.name} {one.version}", one.labels, one.entity_labels) for one in classifiers])


def registry_of(settings: Settings) -> Registry:
    """The models at hand: shipped ones, those beside the profile, and those that were added."""
    beside = artifact_folders(load_profile(settings.profile)).values()
    return Registry(settings.models, sorted(set(beside)))


def model_opener(settings: Settings) -> OpenModel:
    """What loads a version, as the settings ask for; it raises `ArtifactError`, or `SettingsError` without the GPU."""
    registry = registry_of(settings)

    def load(name: str, version: str) -> Classifier:
        path = registry.find(name, version)
        _check_pinned(open_artifact(path), settings)
        classifier = OnnxClassifier.load(
            path,
            threads=settings.threads,
            providers=[CUDA] if settings.device == "gpu" else None,
            token_budget=settings.token_budget,
        )
        if settings.device == "gpu" and CUDA not in classifier.providers:
            raise SettingsError(
                "MOODWIRE_DEVICE=gpu: onnxruntime found no usable NVIDIA GPU; install moodwire[gpu] with the driver for"
                f" its CUDA, or set MOODWIRE_DEVICE=cpu (usable here: {', '.join(classifier.providers)})"
            )
        return classifier

    return load


def _check_pinned(artifact: Artifact, settings: Settings) -> None:
    pinned = {one.strip().lower() for one in settings.model_sha256.split(",") if one.strip()}
    if pinned and artifact.sha256 not in pinned:
        raise ArtifactError(
            f"model {artifact.name} {artifact.version} in {artifact.path} has the checksum {artifact.sha256}, which "
            "MOODWIRE_MODEL_SHA256 does not name: it was altered, or add the checksum there"
        )


def shipped_models(profile: Profile) -> dict[str, tuple[str, str]]:
    """The (name, version) that speaks each language of the profile when nothing was promoted, as manifests state it.

    Raises `SettingsError` for a model without a readable manifest.
    """
    try:
        return {
            language: ((artifact := open_artifact(folder)).name, artifact.version)
            for language, folder in artifact_folders(profile).items()
        }
    except ArtifactError as error:
        raise SettingsError(f"profile {profile.name}: a classifier cannot be loaded: {error}") from error


def classifiers_of(settings: Settings, profile: Profile, control: Control | None = None) -> dict[str, Classifier]:
    """One loaded classifier for each language of the profile, or what `control` promoted; languages may share one.

    Raises `SettingsError` for one that cannot be loaded, or does not fit the profile.
    """
    active = active_models(control or Control(), shipped_models(profile))
    load, loaded = model_opener(settings), dict[tuple[str, str], Classifier]()
    for model in sorted(set(active.models.values())):
        try:
            loaded[model] = load(*model)
        except ArtifactError as error:
            raise SettingsError(f"profile {profile.name}: classifier {model[0]} cannot be loaded: {error}") from error
    check_classifiers(profile, loaded.values())
    return {language: loaded[model] for language, model in active.models.items()}
