"""The series that a scored item belongs to: where it counts, and where a dashboard finds it."""

from __future__ import annotations

from streams.records import Scored

__all__ = ["series_of"]


def series_of(item: Scored) -> tuple[str, ...]:
    """`all`, `source/…`, `topic/…`, `entity/…` and `watchlist/…` names of an item."""
    names = ["all", f"source/{item.news.source}"]
    if item.topic is not None:
        names.append(f"topic/{item.topic.label}")
    names += [f"entity/{entity.id}" for entity in item.entities]
    names += [f"watchlist/{name}" for name in item.watchlists]
    return tuple(names)
