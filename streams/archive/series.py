"""The series that a scored item belongs to: where it counts, and as what.

An item counts in a series of an entity by what it says of that entity, where the model judged it: news of a bank
that sues a carmaker is bad for one of them. Everywhere else it counts by its own sentiment.
"""

from __future__ import annotations

from streams.records import Scored, Sentiment

__all__ = ["negative_in", "sentiments_of", "series_of"]

_ENTITY = "entity/"


def series_of(item: Scored) -> tuple[str, ...]:
    """`all`, `source/…`, `topic/…`, `entity/…` and `watchlist/…` names of an item, each once."""
    names = ["all", f"source/{item.news.source}"]
    if item.topic is not None:
        names.append(f"topic/{item.topic.label}")
    names += [f"topic/{topic.label}" for topic in item.topics]
    names += [f"{_ENTITY}{entity.id}" for entity in item.entities]
    names += [f"watchlist/{name}" for name in item.watchlists]
    return tuple(dict.fromkeys(names))


def sentiments_of(item: Scored) -> dict[str, Sentiment]:
    """The sentiment by which the item counts in each of its series; none when no classifier spoke its language."""
    own = item.sentiment
    if own is None:
        return {}
    found = dict.fromkeys(series_of(item), own)
    found |= {f"{_ENTITY}{one.id}": one.sentiment for one in item.entities if one.sentiment is not None}
    return found


def negative_in(item: Scored) -> list[str]:
    """The series in which the item counts as negative."""
    return [series for series, sentiment in sentiments_of(item).items() if sentiment.label == "negative"]
