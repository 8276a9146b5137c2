"""`GET /v1/model`: the versions that exist, what each does now, and what the gate said."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from models.registry import Registry
from streams.board.context import Asked
from streams.board.shapes.base import NoQuery
from streams.board.shapes.model import Gate, Models, ModelVersion
from streams.classifiers import registry_of
from streams.lifecycle.service import Lifecycle
from streams.lifecycle.versions import VersionStatus
from streams.settings import Settings

__all__ = ["get_models"]


async def get_models(asked: Asked[NoQuery, None]) -> Models:
    """Returns all versions by name. In a thread: each artifact is checked, 100 ms or so."""
    return await asyncio.to_thread(_models, asked.board.settings)


def _models(settings: Settings) -> Models:
    registry = registry_of(settings)
    return Models(items=[_version(one, registry) for one in Lifecycle(settings).versions()])


def _version(status: VersionStatus, registry: Registry) -> ModelVersion:
    entry = status.entry
    verdict = registry.verdict(entry.name, entry.version)
    return ModelVersion(
        name=entry.name,
        version=entry.version,
        language=entry.language,
        precision=entry.precision,
        where=entry.where,
        sha256=entry.sha256,
        accuracy=dict(entry.accuracy),
        serves=list(status.in_service),
        shadows=list(status.in_shadow),
        gate=None if verdict is None else _gate(verdict),
    )


def _gate(verdict: Mapping[str, Any]) -> Gate:
    failed = [str(check.get("reason", "")) for check in verdict.get("checks", ()) if not check.get("passed")]
    return Gate(
        passed=bool(verdict.get("passed")),
        by=str(verdict.get("by", "")),
        at_ms=verdict.get("at_ms"),
        reasons=failed,
    )
