"""The two crises of the sample feed: what is told about them, and what tests may know."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from streams.sample.grammar import Grammar, load
from streams.sample.rhythm import spread
from streams.sample.stories import Story

__all__ = ["Crisis", "crisis_stories", "ground_truth"]

_COPIED = 0.6  # the share of a crisis's stories that other publishers take up


@dataclass(frozen=True, slots=True)
class Crisis:
    """Who is in trouble and when (UTC). `symbol` is a listed company's, else `watchlist` names who watches it.

    `begins`: first signs; `surges`: the flood of negative items; `calms`: the first good news.
    """

    name: str
    symbol: str | None
    watchlist: str | None
    begins: datetime
    surges: datetime
    calms: datetime


def ground_truth(start: datetime) -> tuple[Crisis, ...]:
    """The crises of a feed that begins at `start`."""
    return tuple(_crisis(script, start) for script in load("crises.yaml"))


def _crisis(script: Mapping[str, Any], start: datetime) -> Crisis:
    begins = {phase["name"]: moment for moment, phase in _phases(script, start)}
    names = script["name"], script["symbol"], script["watchlist"]
    return Crisis(*names, begins["build-up"], begins["surge"], begins["resolution"])


def _phases(script: Mapping[str, Any], start: datetime) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
    begins = start + timedelta(days=script["day"], hours=script["hour"])
    for phase in script["phases"]:
        yield begins, phase
        begins += timedelta(hours=phase["hours"])


def crisis_stories(start: datetime, grammar: Grammar, tails: list[str], rng: random.Random) -> Iterator[Story]:
    """All stories of all crises. A title told a second time gets one of the `tails`."""
    for script in load("crises.yaml"):
        words = {"company": script["name"], "product": "accounts"}
        for begins, phase in _phases(script, start):
            for n, moment in enumerate(spread(begins, phase["hours"], phase["items"], rng)):
                again = n // len(phase["titles"])
                title = grammar.sentence(phase["titles"][n % len(phase["titles"])], words)
                yield Story(
                    moment=moment,
                    title=title + (rng.choice(tails) if again else ""),
                    summary=grammar.sentence(rng.choice(phase["summaries"]), words),
                    symbol=script["symbol"],
                    copied=_COPIED,
                )
