"""A mention, and how copies of a story are recognised: by an item's id and by a title's signature."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import msgspec

__all__ = ["Heard", "Held", "Hits", "Mention", "Recent", "hit_probability", "id_key", "story_key"]

Hits = tuple[tuple[str, float], ...]
"""The signals that an item hits, each with the probability that it does."""

_ID_SPACE: Final = 1 << 63  # signatures have 63 bits; ids live above them
_SIGNATURES: Final = _ID_SPACE - 1


class Mention(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """One item as one series sees it.

    `seen_ms` is the clock; `signature` is 63 bits, equal for copies of a title, 0 for none; `hits` are the signals
    that it hits in the series.
    """

    seen_ms: int
    id: str
    signature: int
    hits: Hits


class Heard(Mention, frozen=True, array_like=True, gc=False, order=True):
    """A mention with the series that it is of. `source` and `offset` name the item that it was made from.

    An item that is bad news for one company and good for another makes two mentions, of different series.
    """

    series: tuple[str, ...] = ()
    source: int = 0
    offset: int = 0


Recent = tuple[int, str, int, float]
"""A hit that is remembered: seen_ms, id, signature, weight."""


class Held(msgspec.Struct, frozen=True, array_like=True):
    """What a rule `each` holds back in a series: the number of hits, the newest, and the ticks of its last events."""

    count: int = 0
    newest: tuple[Recent, ...] = ()
    ticks_ms: tuple[int, ...] = ()


def hit_probability(hits: Hits, signal: str) -> float | None:
    """Returns the probability with which `signal` is hit, None where it is not."""
    for name, probability in hits:
        if name == signal:
            return probability
    return None


def id_key(identity: str) -> int:
    """64 bits of an item's id, apart from every signature."""
    if len(identity) == 32:
        try:
            return int(identity[16:], 16) & _SIGNATURES | _ID_SPACE  # ids are hashes
        except ValueError:
            pass
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8).digest()) | _ID_SPACE


def story_key(signature: int, series: str) -> int:
    """63 bits of a story within a series."""
    return (signature ^ _series_key(series)) & _SIGNATURES


@lru_cache(maxsize=50_000)
def _series_key(series: str) -> int:
    return int.from_bytes(hashlib.blake2b(series.encode(), digest_size=8).digest()) & _SIGNATURES
