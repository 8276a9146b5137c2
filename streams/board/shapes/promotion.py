"""A version of a model that goes into service."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.board.shapes.base import Count

__all__ = ["Promote", "Promoted"]

_Name = Annotated[str, Meta(min_length=1, max_length=200)]


class Promote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which version, as `moodwire model promote` takes it: `force` is a reason to pass over the gate, and is kept."""

    name: _Name
    version: _Name
    language: Annotated[str, Meta(max_length=35)] = ""
    force: Annotated[str, Meta(max_length=2_000)] = ""
    baselines: bool = True


class Promoted(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into service. `gate` is passed, rollback or forced; `items` were scored again for its baselines."""

    language: str
    name: str
    version: str
    number: int
    at_ms: int
    by: str
    gate: str
    reason: str
    items: Count
