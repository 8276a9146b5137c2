"""How many wrong tokens one address may try, so that nobody guesses without end, and no page of a desk is locked out.

token ─┬─ was right from this address, or is a cookie that was wrong before ► looked up, and counts no more
       └─ else ─┬─ wrong ones used up ► 429, not even looked up
                └─ looked up ─────────► right, or wrong: one less
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from streams.board.rate import MOST_ADDRESSES, Rate, RateLimit, too_many

__all__ = ["Attempts"]

_RATE: Final = Rate(per_second=0.1, burst=10)
"""A person pastes a wrong token a few times; 256 random bits are guessed at no rate."""
_MOST_TOKENS: Final = 2 * MOST_ADDRESSES


class Attempts:
    """`clock` gives seconds that only grow. What is remembered of tokens are hashes, the least used are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._wrong = RateLimit(_RATE, clock)
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def check(self, address: str, token: str) -> None:
        """Raises `Problem` 429 for a token that is not known from this address, after too many wrong ones."""
        if _of(address, token) not in self._known and (wait_seconds := self._wrong.would_wait_seconds(address)):
            raise too_many("wrong tokens", wait_seconds)

    def right(self, address: str, token: str) -> None:
        """Remembers that a token of this address was right."""
        self._remember(_of(address, token))

    def wrong(self, address: str, token: str, *, is_cookie: bool) -> None:
        """Counts a wrong token; a cookie once, since a browser sends it by itself until somebody signs in again."""
        key = _of(address, token)
        if key not in self._known:
            self._wrong.wait_seconds(address)
        if is_cookie:
            self._remember(key)

    def _remember(self, key: bytes) -> None:
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > _MOST_TOKENS:
            self._known.popitem(last=False)


def _of(address: str, token: str) -> bytes:
    return hashlib.sha256(f"{address}\n{token}".encode(errors="surrogateescape")).digest()
