"""How far a stream is: of each followed topic its incarnation, and of each partition the offset that comes next.

Position ── encoded ──► the id of an event ── Last-Event-ID ──► decoded ──► Position, or None for what is none
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["Position", "decoded", "encoded"]

_LONGEST: Final = 16_384
"""Characters of an id: 1,000 partitions need some 8,000."""

_Offset = int
Position = dict[str, tuple[str, dict[int, _Offset]]]
"""By kind of topic (`items`, `alerts`) its epoch and the next offset of each partition."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Position)


def encoded(position: Mapping[str, tuple[str, Mapping[int, int]]]) -> str:
    """Returns the position as an id: letters, digits, `-` and `_`."""
    return base64.urlsafe_b64encode(_encoder.encode(position)).decode().rstrip("=")


def decoded(text: str) -> Position | None:
    """Returns the position that an id names; None for a text that is no id."""
    if not text or len(text) > _LONGEST or not text.isascii():
        return None
    try:
        return _decoder.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
