"""The ordinary news of the sample feed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from streams.sample.grammar import Grammar, load
from streams.sample.rhythm import background_times

__all__ = ["Story", "background_stories"]

_MOODS = {"positive": 0.3, "neutral": 0.48, "negative": 0.22}
_COPIED = 0.14
_WITHOUT_SUMMARY = 0.1
_MOST_BAD = 2
"""Negative stories about one company in a day: with more of them chance would make a crisis that nobody wrote."""


@dataclass(frozen=True, slots=True)
class Story:
    """What happened and how its first publisher puts it. `copied` is the chance that others take it up."""

    moment: datetime
    title: str
    summary: str
    symbol: str | None = None
    language: str = "en"
    copied: float = _COPIED
    negative: bool = False


@dataclass(frozen=True, slots=True)
class _Company:
    name: str
    symbol: str
    products: tuple[str, ...]


def background_stories(
    start: datetime, days: int, phrases: Mapping[str, Any], grammar: Grammar, rng: random.Random
) -> Iterator[Story]:
    """Stories in order of time, their subject, mood and wording drawn from the phrases."""
    bad: Counter[tuple[date, str]] = Counter()
    companies = _companies()
    topics = phrases["topics"]
    weights = [topic["weight"] for topic in topics.values()]
    for moment in background_times(start, days, rng):
        name = rng.choices(list(topics), weights)[0]
        story = _story(moment, name, topics[name], companies, grammar, rng)
        if story.negative and story.symbol:
            bad[moment.date(), story.symbol] += 1
            if bad[moment.date(), story.symbol] > _MOST_BAD:
                continue
        yield story


def _story(
    moment: datetime,
    name: str,
    topic: Mapping[str, Any],
    companies: list[_Company],
    grammar: Grammar,
    rng: random.Random,
) -> Story:
    moods = [mood for mood in _MOODS if mood in topic]
    chosen = rng.choices(moods, [_MOODS[mood] for mood in moods])[0]
    mood = topic[chosen]
    company, other = rng.sample(companies, 2)
    words = {"company": company.name, "other": other.name, "product": rng.choice(company.products)}
    phrase = rng.choice(mood["titles"])
    title = grammar.sentence(phrase, words)
    has_summary = rng.random() >= _WITHOUT_SUMMARY
    return Story(
        moment=moment,
        title=title,
        summary=grammar.sentence(rng.choice(mood["summaries"]), words) if has_summary else "",
        symbol=company.symbol if "{company}" in phrase else None,
        language=_language(title) if name == "foreign" else "en",
        negative=chosen == "negative",
    )


def _language(title: str) -> str:
    return "fr" if " une " in title else "de"


def _companies() -> list[_Company]:
    return [
        _Company(name, symbol, tuple(sector["products"]))
        for sector in load("companies.yaml").values()
        for name, symbol in sector["companies"].items()
    ]
