"""Models: the versions that exist, what each does now, and what the gate said of it."""

from __future__ import annotations

import msgspec

from streams.board.shapes.base import TimeMs

__all__ = ["Gate", "ModelVersion", "Models"]


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate found when a version was compared with the one in service."""

    passed: bool
    by: str
    at_ms: TimeMs | None
    reasons: list[str]


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version; `accuracy` is by head, `serves` and `shadows` are languages. `gate` is null where none was asked."""

    name: str
    version: str
    language: str
    precision: str
    where: str
    sha256: str
    accuracy: dict[str, float]
    serves: list[str]
    shadows: list[str]
    gate: Gate | None


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """All versions by name."""

    items: list[ModelVersion]
