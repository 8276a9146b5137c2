"""Which heads and labels a correction may name: those of the profile, where it leaves them open those of its models.

A correction of anything else would be kept, and teach nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.artifact import Artifact, ArtifactError, open_artifact
from streams.classifiers import registry_of, shipped_models
from streams.lifecycle.feedback import Feedback
from streams.serving.control import Control
from streams.serving.follower import active_models
from streams.settings import Settings
from streams.text.heads import HEAD_LABEL, Judges
from streams.text.profile import Profile
from streams.userfiles import suggestion

__all__ = ["Correctable", "correctable", "problem_with"]


@dataclass(frozen=True, slots=True)
class Correctable:
    """The labels of each head that judges texts, and those of the heads that judge entities; None: any label.

    `signals` are what people may take for heads, with the head of each.
    """

    text: Mapping[str, Sequence[str] | None]
    entity: Sequence[str] | None
    signals: Mapping[str, str]


def correctable(settings: Settings, profile: Profile, control: Control) -> Correctable:
    """Returns what may be corrected in the namespace now. Raises `SettingsError` for a model without a manifest."""
    models = list(_models(settings, profile, control))
    text = {name: _labels(name, profile, models) for name, head in profile.heads.items() if head.judges is Judges.TEXT}
    for artifact in models:  # labels that users added to a head
        text |= {name: head.labels for name, head in artifact.of_kind("text").items() if _added_to(name, profile)}
    judges = [name for name, head in profile.heads.items() if head.judges is Judges.ENTITY]
    entity: Sequence[str] | None = _labels(judges[0], profile, models) if judges else ()
    return Correctable(text, entity, {name: signal.head for name, signal in profile.signals.items()})


def _models(settings: Settings, profile: Profile, control: Control) -> Iterator[Artifact]:
    registry = registry_of(settings)
    for model in sorted(set(active_models(control, shipped_models(profile)).models.values())):
        try:
            yield open_artifact(registry.find(*model))
        except ArtifactError:  # the version is on other machines
            continue


def _labels(name: str, profile: Profile, models: Sequence[Artifact]) -> Sequence[str] | None:
    declared = profile.heads[name].labels
    return declared or sorted({label for one in models for label in one.labels.get(name, ())}) or None


def _added_to(name: str, profile: Profile) -> bool:
    head, slash, _ = name.partition(HEAD_LABEL)
    return bool(slash) and head in profile.heads


def problem_with(correction: Feedback, known: Correctable) -> str | None:
    """Returns why a correction cannot be taken, with the fix; None if it can."""
    return next(_problems(correction, known), None)


def _problems(correction: Feedback, known: Correctable) -> Iterator[str]:
    for head, label in correction.labels.items():
        if head not in known.text:
            meant = known.signals.get(head)
            fix = f"it is a signal, made of the head {meant!r}" if meant else suggestion(head, known.text)
            yield f"there is no head {head!r} that judges texts; {fix}"
        elif (labels := known.text[head]) is not None and label not in labels:
            yield f"the head {head!r} has no label {label!r}; {suggestion(label, labels)}"
    for name, label in correction.entities.items():
        if known.entity == ():
            yield f"{name!r} cannot be corrected: the profile has no head that judges entities"
        elif known.entity is not None and label not in known.entity:
            yield f"there is no label {label!r} for the entity {name!r}; {suggestion(label, known.entity)}"
