"""Scored items for tests of the loop."""

from __future__ import annotations

from streams.records import News, Position, Scored, Story
from tests.stages.finance_items import counted, sentiment

START_MS = 1_750_000_000_000


def scored(number: int, title: str, *, seen_ms: int | None = None, negative: bool = False, epoch: str = "e") -> Scored:
    """Item `id<number>`, at offset `number` of source partition 0."""
    seen = START_MS + number * 1_000 if seen_ms is None else seen_ms
    tone = sentiment("negative", 0.8, 0.1, 0.1) if negative else sentiment("neutral", 0.1, 0.8, 0.1)
    item = Scored(
        news=News(id=f"id{number}", content=f"c{number}", title=title, source="wire", seen_ms=seen),
        position=Position(epoch, 0, number),
        scored_ms=seen,
        language="en",
        heads={"sentiment": tone},
        series={},
        entities=(),
        watchlists=(),
        story=Story(f"id{number}"),
        signature=f"{number:016x}",
        model="model",
        model_version="1",
    )
    return counted(item)
