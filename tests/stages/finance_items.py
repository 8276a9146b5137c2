"""Scores and series of scored items as the profile `finance` makes them, for tests that build items themselves."""

from __future__ import annotations

import msgspec

from streams.records import HeadScore, Scored
from streams.stages.counting import Counting
from streams.text.profile import load_profile

__all__ = ["counted", "sentiment"]

_COUNTING = Counting(load_profile("finance"))


def sentiment(label: str, negative: float, neutral: float, positive: float) -> HeadScore:
    """What the head `sentiment`, or `entity`, says with these probabilities."""
    chances = {"negative": negative, "neutral": neutral, "positive": positive}
    return HeadScore(label, chances.get(label, 1.0), chances, round(positive - negative, 4))


def counted(item: Scored) -> Scored:
    """The item with the series in which it counts."""
    series = _COUNTING.series_of(item.news.source, item.heads, item.entities, item.watchlists)
    return msgspec.structs.replace(item, series=series)
