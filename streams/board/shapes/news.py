"""News that are pushed, and what became of each line."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from streams.board.shapes.base import Count

__all__ = ["LineResult", "LineStatus", "PushResult"]


class LineStatus(StrEnum):
    """What became of a line."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class LineResult(msgspec.Struct, frozen=True, kw_only=True):
    """A line, or an item of the array, from 1; `detail` says why it was refused, and is parked in `rejects`."""

    line: Count
    status: LineStatus
    detail: str = ""


class PushResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a push. What was accepted is with the broker."""

    results: list[LineResult]
    accepted: Count
    refused: Count
