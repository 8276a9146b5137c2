"""How many items there are: counted again after some seconds, however many pages ask."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

from streams.archive.protocol import Archive

__all__ = ["KEPT_MS", "items_total"]

KEPT_MS: Final = 5_000
"""Elasticsearch makes segments of what came before it counts: not once a page and second."""

_counted: WeakKeyDictionary[Archive, tuple[int, int]] = WeakKeyDictionary()


async def items_total(archive: Archive, now_ms: int) -> int:
    """Returns the number of items, as of a few seconds ago at most."""
    counted_ms, items = _counted.get(archive, (None, 0))
    if counted_ms is None or not 0 <= now_ms - counted_ms < KEPT_MS:
        items = (await archive.stats()).items
        _counted[archive] = now_ms, items
    return items
