"""A version in the shadow of the one in service: begun, ended, and compared on archived items."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from models import OnnxClassifier
from streams.archive import closing_archive
from streams.archive.protocol import Query
from streams.classifiers import registry_of, shipped_models
from streams.existing import open_existing_archive
from streams.lifecycle.decisions import control_of, open_control
from streams.lifecycle.errors import PromotionRefused
from streams.lifecycle.progress import Progress
from streams.lifecycle.promotion import in_service
from streams.lifecycle.shadow_report import ShadowReport, shadow_report
from streams.records import Scored
from streams.serving.control import Shadow, shadow_send
from streams.settings import Settings
from streams.text.profile import load_profile

__all__ = ["ShadowReportRequest", "ShadowRequest", "report_shadow", "start_shadow", "stop_shadow"]


@dataclass(frozen=True, slots=True)
class ShadowRequest:
    """Let a version score beside the one in service for `language`; empty: the version's own."""

    name: str
    version: str
    by: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class ShadowReportRequest:
    """Compare a version with the scores of the newest `last` archived items of `language`; empty: its own."""

    name: str
    version: str
    language: str = ""
    last: int = 2_000


def start_shadow(settings: Settings, request: ShadowRequest, now_ms: int) -> Shadow:
    """Writes to `control` that the version scores in the shadow.

    Raises `ArtifactError` for one that is not whole, and `PromotionRefused` for the one in service or for a language
    that the profile does not have.
    """
    artifact = registry_of(settings).load(request.name, request.version)
    shadow = Shadow(
        language=request.language or artifact.language,
        name=artifact.name,
        version=artifact.version,
        at_ms=now_ms,
        by=request.by,
    )
    serving = in_service(control_of(settings), shipped_models(load_profile(settings.profile)), shadow.language)
    if (serving.name, serving.version) == (shadow.name, shadow.version):
        raise PromotionRefused(
            f"{shadow.name} {shadow.version} is in service for {shadow.language}: a shadow of itself differs in nothing"
        )
    _decide(settings, shadow.language, shadow)
    return shadow


def stop_shadow(settings: Settings, language: str) -> None:
    """Writes to `control` that no version scores in the shadow for the language."""
    _decide(settings, language, None)


def _decide(settings: Settings, language: str, shadow: Shadow | None) -> None:
    with open_control(settings) as broker:
        broker.append([shadow_send(settings.topics.control, language, shadow)])


def report_shadow(settings: Settings, request: ShadowReportRequest, progress: Progress) -> ShadowReport:
    """Scores archived items with the version and returns where it differs; writes nothing."""
    artifact = registry_of(settings).load(request.name, request.version)
    language = request.language or artifact.language
    items = asyncio.run(_newest(settings, language, request.last))
    progress.step(f"scoring {len(items):,} items")
    with OnnxClassifier.load(artifact.path, threads=settings.threads) as classifier:
        return shadow_report(load_profile(settings.profile), {language: classifier}, items)


async def _newest(settings: Settings, language: str, last: int) -> list[Scored]:
    async with closing_archive(open_existing_archive(settings)) as archive:
        return [hit.item for hit in await archive.search(Query(language=language, limit=last))]
