"""Watchlists that people change while workers run: what `control` says of them, and the matchers of each state.

    control: watchlist/NAME ─► Control.watchlists ─► WatchedLists.want ─► digest ─► a line of the row `versions`
                                                          └─ body ─► a row of its own ─► a redo finds the same lists

A digest names all lists together. They change at a stored offset, as models do (`streams.serving.swap`).
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from streams.text.watchlists import Watchlist, WatchlistMatcher

__all__ = ["LISTS_PREFIX", "MOST_BYTES", "RunningLists", "WatchedLists"]

LISTS_PREFIX: Final = "lists/"
"""Of the rows that hold the lists of a digest."""

MOST_BYTES: Final = 512 << 10
"""Of all lists together, as they are stored: a record of the table must hold them."""

_KEPT: Final = 8

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[Watchlist, ...])


class RunningLists:
    """The lists of one digest; one that is called as a list of the settings' file replaces it."""

    __slots__ = ("_matcher", "names")

    def __init__(self, lists: Sequence[Watchlist]) -> None:
        self._matcher = WatchlistMatcher(lists)
        self.names = frozenset(one.name for one in lists)

    def matched(
        self, of_file: Iterable[str], title: str, text: str, entity_ids: Iterable[str], source: str
    ) -> tuple[str, ...]:
        """Returns the names of the lists that an item matches; `of_file` are those that it matched of the file."""
        running = self._matcher.match(title, text, frozenset(entity_ids), source)
        return (*(name for name in of_file if name not in self.names), *running)


class WatchedLists:
    """The bodies and matchers that are known here. Thread-safe. The empty digest is that of no lists."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._running: OrderedDict[str, RunningLists] = OrderedDict()

    def take(self, lists: Iterable[Watchlist]) -> str:
        """Returns the digest of these lists, whose body is known from then on."""
        ordered = sorted(lists, key=lambda one: one.name)
        if not ordered:
            return ""
        body = _encoder.encode(ordered)
        digest = hashlib.sha256(body).hexdigest()[:16]
        with self._lock:
            self._keep(self._bodies, digest, body)
        return digest

    def body(self, digest: str) -> bytes | None:
        """Returns the lists as they are stored; None for a digest that was not taken lately."""
        return self._bodies.get(digest)

    def running(self, digest: str, body: bytes | None = None) -> RunningLists | None:
        """Returns the lists to match with; None for the empty digest.

        `body` is what was stored of a digest that is not known here. Raises `KeyError` without it, and
        `msgspec.DecodeError` or `msgspec.ValidationError` for one that cannot be read.
        """
        if not digest:
            return None
        with self._lock:
            found = self._running.get(digest)
            if found is None:
                found = RunningLists(_decoder.decode(self._bodies[digest] if body is None else body))
            self._keep(self._running, digest, found)
            return found

    @staticmethod
    def _keep(kept: OrderedDict[str, T], digest: str, value: T) -> None:
        kept[digest] = value
        kept.move_to_end(digest)
        while len(kept) > _KEPT:
            kept.popitem(last=False)
