"""A version goes into service, or back: with baselines of its own, then the record that `score` follows.

PromoteRequest ─► loaded, labels and gate checked ─► baselines sent to `watch` ─► record in `control` ─► Changeover
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from models import OnnxClassifier
from models.artifact import Artifact, open_artifact
from streams.alert_rules import alert_config, profile_of
from streams.archive import closing_archive, open_archive
from streams.classifiers import answers_of, artifact_folders, registry_of, shipped_models
from streams.engine.ports import Send
from streams.lifecycle.baselines import Rescoring
from streams.lifecycle.decisions import control_in, control_of, open_control
from streams.lifecycle.errors import PromotionRefused
from streams.lifecycle.preparation import PreparedBaselines, prepare_baselines
from streams.lifecycle.progress import Progress
from streams.lifecycle.promotion import Request, previous, promotion_of
from streams.namespaces import check_profile
from streams.serving.control import Control, Promotion, promotion_send, shadow_send
from streams.settings import Settings
from streams.text.answers import label_mistakes
from streams.text.heads import lacking_labels
from streams.text.profile import Profile
from streams.transport.broker import Broker
from streams.wall_clock import DAY_MS

__all__ = ["Changeover", "PromoteRequest", "RollbackRequest", "promote", "roll_back"]

BASELINE_DAYS = 56
"""Of the past that is scored again: older items have lost most of their weight."""


@dataclass(frozen=True, slots=True)
class PromoteRequest:
    """Put a version into service for `language`; empty: the version's own.

    `force` is a reason to pass over the gate, and is recorded. Baselines rest on the last `baseline_days`; with None
    they stay those of the model before.
    """

    name: str
    version: str
    by: str
    language: str = ""
    force: str = ""
    baseline_days: float | None = BASELINE_DAYS


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """Put the version into service that was there before; again: the one before that."""

    language: str
    by: str
    baseline_days: float | None = BASELINE_DAYS


@dataclass(frozen=True, slots=True)
class Changeover:
    """What was written to `control`, and the baselines that were sent before; None without any."""

    promotion: Promotion
    baselines: PreparedBaselines | None


def promote(settings: Settings, request: PromoteRequest, progress: Progress, now_ms: int) -> Changeover:
    """Puts the version into service. Raises `PromotionRefused`, `ArtifactError` and what broker and archive raise."""
    artifact = registry_of(settings).load(request.name, request.version)
    language = request.language or artifact.language
    wanted = Request(language, artifact.name, artifact.version, request.by, request.force)
    return _change_over(settings, artifact, wanted, request.baseline_days, progress, now_ms)


def roll_back(settings: Settings, request: RollbackRequest, progress: Progress, now_ms: int) -> Changeover:
    """Puts the version before into service; it needs no gate. One that was rolled back is passed over.

    Raises as `promote`.
    """
    back = previous(control_of(settings, progress), request.language)
    artifact = registry_of(settings).load(back.name, back.version)
    wanted = Request(request.language, back.name, back.version, request.by, rolls_back=True)
    return _change_over(settings, artifact, wanted, request.baseline_days, progress, now_ms)


def _change_over(
    settings: Settings, artifact: Artifact, request: Request, days: float | None, progress: Progress, now_ms: int
) -> Changeover:
    profile = profile_of(settings)
    _check_labels(artifact, request, profile)
    verdict = registry_of(settings).verdict(request.name, request.version)
    prepared: PreparedBaselines | None = None
    with (
        # what no worker could load goes no further
        OnnxClassifier.load(artifact.path, threads=settings.threads) as candidate,
        open_control(settings, all_topics=True) as broker,
    ):
        check_profile(broker.scan(settings.topics.control), settings.topics, profile.name)
        control = control_in(broker, settings, progress)
        promotion = promotion_of(request, control, shipped_models(profile), verdict, now_ms)
        if days is not None:
            progress.step("scoring the past again")
            rescoring = Rescoring(profile, {request.language: candidate})
            prepared = asyncio.run(_prepare(settings, broker, rescoring, promotion.number, days, progress))
        broker.append(_sends(settings.topics.control, promotion, control))
    return Changeover(promotion, prepared)


def _sends(topic: str, promotion: Promotion, control: Control) -> list[Send]:
    """Returns the record that promotes; a version that scored in the shadow until now does so no more."""
    sends = [promotion_send(topic, promotion)]
    shadow = control.shadows.get(promotion.language)
    if shadow is not None and (shadow.name, shadow.version) == (promotion.name, promotion.version):
        sends.append(shadow_send(topic, promotion.language, None))
    return sends


def _check_labels(artifact: Artifact, request: Request, profile: Profile) -> None:
    """Raises `PromotionRefused` for a version without the heads by which the profile counts, or with other labels."""
    lacking = sorted(_counted_by(profile, request.language) - set(artifact.labels))
    absent = {head: () for head in lacking if profile.heads[head].labels}
    version = f"{request.name} {request.version}"
    for head, labels in lacking_labels(profile.heads, {**artifact.labels, **absent}).items():
        raise PromotionRefused(
            f"{version} does not answer {', '.join(labels)} in the head {head!r} that profile {profile.name} reads"
        )
    for head in lacking:
        raise PromotionRefused(f"{version} does not answer the head {head!r} by which profile {profile.name} counts")
    for _, problem in label_mistakes(profile.heads, answers_of(artifact)):
        raise PromotionRefused(f"{version} does not fit profile {profile.name}: {problem}")


def _counted_by(profile: Profile, language: str) -> set[str]:
    """Returns the heads of all signals, and those of kinds of series that no other language's classifier answers."""
    folders = artifact_folders(profile)
    others = {head for code, folder in folders.items() if code != language for head in open_artifact(folder).labels}
    kinds = {kind.head for kind in profile.series.values() if kind.head is not None}
    return {signal.head for signal in profile.signals.values()} | (kinds - others)


async def _prepare(
    settings: Settings, broker: Broker, rescoring: Rescoring, promotion: int, days: float, progress: Progress
) -> PreparedBaselines | None:
    async with closing_archive(open_archive(settings.archive, settings.elastic)) as archive:
        return await prepare_baselines(
            broker,
            settings.topics,
            settings.mentions_partitions,
            archive,
            alert_config(settings, rescoring.profile),
            rescoring,
            promotion,
            span_ms=int(days * DAY_MS),
            on_progress=progress.items,
        )
