"""Scored items of a company with a crisis in it, for tests of what is read or counted again from an archive."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from alerts import AlertConfig, AlertEvent
from streams.engine.runs import Record
from streams.records import EntityMention, News, Position, Scored, Story
from streams.stages.mentions import mention_sends, mentions_partition
from streams.stages.watch_partition import WatchPartition
from streams.text.profile import load_profile
from streams.wall_clock import DAY_MS, HOUR_MS, MINUTE_MS
from tests.stages.finance_items import counted, sentiment

__all__ = ["CONFIG", "CRISIS_MS", "END_MS", "SERIES", "START_MS", "crisis_news", "watched_events"]

CONFIG = AlertConfig.of(load_profile("finance").rules)
SERIES = "entity/ACME"
START_MS = 1_750_000_000_000 // DAY_MS * DAY_MS
CRISIS_MS = START_MS + 8 * DAY_MS + 10 * HOUR_MS
END_MS = START_MS + 10 * DAY_MS
PARTITIONS = 2


def _item(number: int, seen_ms: int, entity: str, *, negative: bool, title: str = "") -> Scored:
    """The `number`-th item; copies of a title have one signature."""
    chance = 0.8 if negative else 0.1
    title = title or f"Headline {number}"
    return counted(
        Scored(
            news=News(id=f"{number:032x}", content="a", title=title, source=f"wire {number % 3}", seen_ms=seen_ms),
            position=Position("e", number % PARTITIONS, number),
            scored_ms=seen_ms,
            language="en",
            heads={"sentiment": sentiment("negative" if negative else "neutral", chance, 0.9 - chance, 0.1)},
            series={},
            entities=(EntityMention(entity, entity.title(), 1.0),),
            watchlists=("mine",) if entity == "ACME" else (),
            story=Story(f"{number:032x}"),
            signature=f"{hash_of(title):016x}",
            model="m",
            model_version="1",
        )
    )


def hash_of(title: str) -> int:
    return random.Random(title).getrandbits(62) | 1


def crisis_news() -> list[Scored]:
    """Ten days of ordinary news of four companies; on the ninth, 14 bad headlines of ACME, and copies, in an hour."""
    moments = sorted(_moments(random.Random(7)))
    return [
        _item(number, seen_ms, entity, negative=negative, title=title)
        for number, (seen_ms, entity, negative, title) in enumerate(moments)
    ]


def _moments(rng: random.Random) -> Iterator[tuple[int, str, bool, str]]:
    for number in range(900):
        entity = rng.choice(["ACME", "BOLT", "CORE", "DUNE"])
        yield START_MS + rng.randrange(10 * DAY_MS), entity, rng.random() < 0.15, f"Ordinary {number}"
    for number in range(14):
        seen_ms = CRISIS_MS + number * 4 * MINUTE_MS
        yield seen_ms, "ACME", True, f"Run on ACME {number}"
        yield seen_ms + 1_000, "ACME", True, f"Run on ACME {number}"


def watched_events(items: Sequence[Scored], series: str = SERIES, partitions: int = 1) -> list[AlertEvent]:
    """The series' alerts as the stage `watch` raises them when it hears the items live."""
    watch = WatchPartition(CONFIG)
    watch.begin("own")
    own, offset, events = mentions_partition(series, partitions), 0, []
    for item in [*items, None]:
        for source in range(PARTITIONS):
            mine = [item] if item is not None and item.position.partition == source else []
            progress_ms = item.news.seen_ms if item is not None else END_MS
            sends = mention_sends(
                "mentions", partitions, epoch="e", partition=source, partitions=PARTITIONS, progress_ms=progress_ms,
                items=mine,
            )  # fmt: skip
            for send in sends:
                if send.partition == own:
                    events += watch.apply(Record(offset, None, send.value, 0))
                    offset += 1
    return [event for event in events if event.series == series]
