"""What the structs of the contract are made of."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

__all__ = ["Count", "Cursor", "Limit", "Name", "NoQuery", "Page", "Share", "TimeMs"]

T = TypeVar("T")

TimeMs = Annotated[int, Meta(ge=0, le=2**53 - 1, description="UTC epoch in milliseconds")]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(min_length=1, max_length=1_000)]
Limit = Annotated[int, Meta(ge=1, le=500, description="most entries of the page")]
Cursor = Annotated[str, Meta(max_length=1_000, description="`next` of the page before, of the same query")]


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A page of a list; `next` is the cursor of the page behind it, null at the end."""

    items: list[T]
    next: str | None = None


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A query without keys."""
