"""`moodwire model promote|rollback`: a version goes into service, with baselines of its own."""

from __future__ import annotations

import asyncio
import getpass
from typing import Annotated

import typer

from models import OnnxClassifier
from models.artifact import Artifact
from streams.app import alert_config
from streams.archive import open_archive
from streams.classifiers import registry_of, shipped_models
from streams.cli.model_options import (
    ByOption,
    LanguageOption,
    NameArgument,
    VersionArgument,
    control_in,
    control_of,
    now_ms,
    open_control,
)
from streams.cli.options import JsonOption, NamespaceOption, ProfileOption
from streams.cli.output import console, foreign, print_json, progress_bar, utc
from streams.errors import SettingsError
from streams.lifecycle.baselines import Rescoring
from streams.lifecycle.preparation import PreparedBaselines, prepare_baselines
from streams.lifecycle.promotion import Request, previous, promotion_of
from streams.serving.control import Promotion, promotion_send
from streams.settings import Settings, load_settings
from streams.text.profile import Profile, load_profile
from streams.transport.broker import Broker

__all__ = ["promote", "rollback"]

DAY_MS = 86_400_000

BaselinesOption = Annotated[
    bool, typer.Option("--baselines/--no-baselines", help="Score the past again, so that base rates fit the new model.")
]
DaysOption = Annotated[
    float, typer.Option("--days", help="How much of the past: older items have lost most of their weight.", min=1)
]


def promote(
    name: NameArgument,
    version: VersionArgument,
    force: Annotated[
        str, typer.Option("--force", help="Why it goes into service without the gate; this is recorded.")
    ] = "",
    baselines: BaselinesOption = True,
    days: DaysOption = 56,
    language: LanguageOption = None,
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    settings = load_settings(namespace=namespace, profile=profile)
    artifact = registry_of(settings).load(name, version)
    request = Request(language or artifact.language, artifact.name, artifact.version, by or getpass.getuser(), force)
    _promote(settings, artifact, request, days if baselines else None, json=json)


def rollback(
    language: Annotated[str, typer.Option("--language", "-l", help="Language of the model.")] = "en",
    baselines: BaselinesOption = True,
    days: DaysOption = 56,
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    settings = load_settings(namespace=namespace, profile=profile)
    back = previous(control_of(settings), language)
    artifact = registry_of(settings).load(back.name, back.version)
    request = Request(language, back.name, back.version, by or getpass.getuser())
    _promote(settings, artifact, request, days if baselines else None, json=json)


def _promote(settings: Settings, artifact: Artifact, request: Request, days: float | None, *, json: bool) -> None:
    chosen = load_profile(settings.profile)
    _check_labels(artifact, request, chosen)
    verdict = registry_of(settings).verdict(request.name, request.version)
    prepared: PreparedBaselines | None = None
    with (
        # what no worker could load goes no further
        OnnxClassifier.load(artifact.path, threads=settings.threads) as candidate,
        open_control(settings, all_topics=True) as broker,
    ):
        control = control_in(broker, settings)
        promotion = promotion_of(request, control, shipped_models(chosen), verdict, now_ms())
        if days is not None:
            rescoring = Rescoring(chosen, {request.language: candidate})
            prepared = asyncio.run(_prepare(settings, broker, rescoring, promotion.change, days, quiet=json))
        broker.append([promotion_send(settings.topics.control, promotion)])
    _show(promotion, prepared, settings, json=json)


def _check_labels(artifact: Artifact, request: Request, profile: Profile) -> None:
    head = profile.sentiment
    lacking = {head.negative, head.neutral, head.positive} - set(artifact.labels.get(head.head, ()))
    if lacking:
        raise SettingsError(
            f"{request.name} {request.version} does not answer {', '.join(sorted(lacking))} in the head "
            f"{head.head!r} that profile {profile.name} reads"
        )


async def _prepare(
    settings: Settings, broker: Broker, rescoring: Rescoring, change: int, days: float, *, quiet: bool
) -> PreparedBaselines | None:
    archive = open_archive(settings.archive, settings.elastic)
    try:
        with progress_bar(quiet=quiet) as bar:
            task = bar.add_task("scoring the past again", total=None)
            return await prepare_baselines(
                broker,
                settings.topics,
                settings.mentions_partitions,
                archive,
                alert_config(settings, rescoring.profile),
                rescoring,
                change,
                span_ms=int(days * DAY_MS),
                on_progress=lambda items: bar.update(task, completed=items),
            )
    finally:
        await archive.close()


def _show(promotion: Promotion, prepared: PreparedBaselines | None, settings: Settings, *, json: bool) -> None:
    if json:
        print_json({"promotion": promotion, "baselines": prepared})
        return
    before = promotion.earlier[-1]
    new, old = foreign(f"{promotion.name} {promotion.version}"), foreign(f"{before.name} {before.version}")
    console.print(
        f"[bold]{new}[/] goes into service for {foreign(promotion.language)} in namespace "
        f"{settings.namespace} ({foreign(promotion.gate)}), after {old}. Workers change over within "
        f"{settings.control_seconds:g} s and the run at hand; `moodwire model rollback` takes it back.",
        highlight=False,
        soft_wrap=True,
    )
    if prepared is not None:
        console.print(
            f"Baselines of its own were made from {prepared.items:,} items up to {utc(prepared.cut_ms)}.",
            highlight=False,
        )
