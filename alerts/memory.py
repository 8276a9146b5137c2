"""Copies of a story are counted once: what a series remembers of the last 24 hours.

A mention is a copy when its id, or its signature (equal for copies of a title), was counted within the
horizon. Mentions come sorted by (seen, id), so the smallest of the copies is the one that counts. The
memory is bounded: beyond its capacity the oldest entry goes first, by the order of counting, so that every
replay forgets the same.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from alerts.sections import HORIZON_HOURS

__all__ = ["CAPACITY", "Mention", "admit", "forget_expired", "id_key"]

CAPACITY: Final = 2000
"""Entries kept (an id and a signature each take one): 28 KB packed."""

_HORIZON_SECONDS: Final = HORIZON_HOURS * 3600
_ID_SPACE: Final = 1 << 63  # signatures have 63 bits; ids live above them
_SIGNATURES: Final = _ID_SPACE - 1


class Mention(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """One item as one series sees it.

    `seen_ms` is the clock; `signature` is 63 bits, equal for copies of a title, 0 for none; `negative` is 1
    for a negative item, else 0; `weight` its probability of being negative.
    """

    seen_ms: int
    id: str
    signature: int
    negative: int
    weight: float


def id_key(identity: str) -> int:
    """64 bits of an item's id, apart from every signature."""
    if len(identity) == 32:
        try:
            whole = int(identity, 16)
            return (whole ^ whole >> 64) & _SIGNATURES | _ID_SPACE
        except ValueError:
            pass
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8).digest()) | _ID_SPACE


def admit(memory: dict[int, int], mention: Mention, collapse: bool) -> bool:
    """Whether the mention counts; remembers it either way. `memory`: key to the second it was counted."""
    second = mention.seen_ms // 1000
    expired = second - _HORIZON_SECONDS
    key = id_key(mention.id)
    first = memory.get(key)
    if first is not None:
        if first > expired:
            return False
        del memory[key]
    signature = mention.signature
    if collapse and signature:
        first = memory.get(signature)
        if first is not None:
            if first > expired:
                _remember(memory, key, first)
                return False
            del memory[signature]
        memory[signature] = second
    _remember(memory, key, second)
    return True


def _remember(memory: dict[int, int], key: int, second: int) -> None:
    memory[key] = second
    while len(memory) > CAPACITY:
        del memory[next(iter(memory))]


def forget_expired(memory: dict[int, int], now_second: int) -> None:
    """Drops what has left the horizon, as far as it stands at the front."""
    expired = now_second - _HORIZON_SECONDS
    while memory:
        oldest = next(iter(memory))
        if memory[oldest] > expired:
            return
        del memory[oldest]
