"""The versions of models that exist, and what each does in the namespace now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.registry import Entry
from streams.classifiers import registry_of, shipped_models
from streams.lifecycle.decisions import control_of
from streams.lifecycle.progress import Progress
from streams.lifecycle.promotion import in_service
from streams.serving.control import Control
from streams.settings import Settings
from streams.text.profile import load_profile

__all__ = ["VersionStatus", "versions_of"]


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """A version, and the languages that it serves or shadows now."""

    entry: Entry
    in_service: Sequence[str]
    in_shadow: Sequence[str]


def versions_of(settings: Settings, progress: Progress) -> list[VersionStatus]:
    """Returns every version by name; raises `ArtifactError` for one that was altered."""
    control, shipped = control_of(settings, progress), shipped_models(load_profile(settings.profile))
    return [_status(entry, control, shipped) for entry in registry_of(settings).entries()]


def _status(entry: Entry, control: Control, shipped: Mapping[str, tuple[str, str]]) -> VersionStatus:
    model = entry.name, entry.version
    serving = {language: in_service(control, shipped, language) for language in shipped}
    return VersionStatus(
        entry,
        [language for language, one in serving.items() if (one.name, one.version) == model],
        [language for language, one in control.shadows.items() if (one.name, one.version) == model],
    )
