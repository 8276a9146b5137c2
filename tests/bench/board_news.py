"""News of two weeks for the benchmark of the board: many companies, some far more often in the news than others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate

from streams.records import EntityMention, HeadScore, News, Position, Scored, Story
from streams.sample import generate
from streams.wall_clock import DAY_MS
from tests.stages.finance_items import counted, sentiment

__all__ = ["COMPANIES", "DAYS", "END_MS", "START_MS", "board_news"]

START_MS = 1_750_000_000_000 // DAY_MS * DAY_MS
DAYS = 14
END_MS = START_MS + DAYS * DAY_MS
COMPANIES = 2_000
_SOURCES = 40
_TOPICS = (
    "Earnings", "Macro", "Fed | Central Banks", "M&A | Investments", "Stock Movement", "Legal | Regulation",
    "Energy | Oil",
)  # fmt: skip


def board_news(items: int, seed: int = 26) -> Iterator[Scored]:
    """Yields items in order of time; the same for the same arguments.

    Titles and texts are those of the sample feed, over and over.
    """
    rng = random.Random(seed)
    texts = [
        (one.get("title") or one.get("headline") or "", one.get("summary") or one.get("text") or "")
        for one in generate()
    ]
    weights = list(accumulate(1 / (rank + 5) for rank in range(COMPANIES)))
    moments = sorted(rng.randrange(START_MS, END_MS) for _ in range(items))
    for number, seen_ms in enumerate(moments):
        title, text = texts[number % len(texts)]
        [company] = rng.choices(range(COMPANIES), cum_weights=weights)
        yield _item(number, seen_ms, f"{title or 'Shares'} ({number})", text, f"C{company:04d}", rng)


def _item(number: int, seen_ms: int, title: str, text: str, company: str, rng: random.Random) -> Scored:
    negative = rng.random() < 0.2
    chance = 0.8 if negative else 0.1
    return counted(
        Scored(
            news=News(
                id=f"{number:032x}", content="a", title=title, text=text, source=f"wire {number % _SOURCES}",
                seen_ms=seen_ms,
            ),
            position=Position("e", 0, number),
            scored_ms=seen_ms,
            language="en",
            heads={
                "sentiment": sentiment("negative" if negative else "neutral", chance, 0.9 - chance, 0.1),
                "topic": HeadScore(rng.choice(_TOPICS), 0.9),
            },
            series={},
            entities=(EntityMention(company, f"Company {company}", 1.0),) if number % 3 else (),
            watchlists=("mine",) if number % 200 == 0 else (),
            story=Story(f"{number:032x}"),
            signature=f"{rng.getrandbits(62) | 1:016x}",
            model="m",
            model_version="1",
        )
    )  # fmt: skip
