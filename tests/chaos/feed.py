"""The feed of the chaos suite: news over five days, repeats, revisions, bursts that raise alerts, and poison.

    sample texts ──► paced over five days ──┬── bursts of bad news about one company, on the fifth day
                                            ├── repeats (the same record again, later)
                                            ├── late items (published long before they were seen)
                                            └── poison ──► records by partition, in order of time ──► end

A record's partition is that of its title, as our feeds choose it, so that a repeat meets what it repeats.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from models import NullClassifier, Places, Probabilities
from models.artifact import load_artifact, shipped
from streams.engine.ports import Send
from streams.feeds.fieldmap import FieldMap, to_news
from streams.records import News
from streams.sample import generate
from streams.text.profile import load_profile
from streams.text.signature import partition_key
from streams.topics import END_HEADER

__all__ = ["INDIGESTIBLE", "Feed", "make_feed", "null_classifiers"]

DAY_MS = 86_400_000
SPAN_MS = 5 * DAY_MS
BURSTS = ((4.4, "Boeing"), (4.6, "Pfizer"), (4.6, "Netflix"))
"""When each begins, in days, and about whom: after the rules' three days of warming up, two of them at once."""
BURST_ITEMS = 24
BURST_STEP_MS = 20_000
REPEATED, LATE, POISONED = 0.03, 0.02, 0.02
LATENESS_AND_HOP_MS = 35_000
INDIGESTIBLE = "Indigestible news"


@dataclass(frozen=True, slots=True)
class Feed:
    """Records in order of time, each with its partition; `end` closes every partition, as a replay does."""

    records: list[Send]
    end: list[Send]

    def cut(self, *shares: float) -> list[list[Send]]:
        """The records in consecutive parts that end at these shares of them; the last part goes on to the end."""
        bounds = [0, *(int(share * len(self.records)) for share in shares), len(self.records)]
        return [self.records[start:stop] for start, stop in itertools.pairwise(bounds)]


class Choking(NullClassifier):
    """Costs nothing, and fails on a title that begins with `INDIGESTIBLE`, as a bug would that nobody knows yet."""

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        if any(text.startswith(INDIGESTIBLE) for text in texts):
            raise IndexError("a text that the classifier cannot digest")
        return super().classify(texts, entities)


def null_classifiers(profile_name: str) -> dict[str, NullClassifier]:
    """For each language of the profile a classifier that costs nothing, with the labels of the real one."""
    profile = load_profile(profile_name)
    return {
        language: Choking(load_artifact(shipped(artifact)).labels) for language, artifact in profile.classifiers.items()
    }


def make_feed(
    count: int, topic: str, partitions: int, *, until_ms: int, seed: int = 10, poison: float = POISONED
) -> Feed:
    """`count` records for `topic`, seen in the five days before `until_ms`."""
    rng = random.Random(seed)
    start_ms = until_ms - SPAN_MS
    calm = count - len(BURSTS) * BURST_ITEMS
    news = [*_calm(rng, calm, start_ms), *_bursts(start_ms)]
    news.sort(key=lambda item: (item.seen_ms, item.id))
    sends = [_send(item, topic, partitions) for item in news]
    for at in sorted(rng.sample(range(calm), int(calm * poison))):
        sends[at] = _poison(rng, sends[at], partitions, until_ms)
    end = (END_HEADER, str(until_ms + LATENESS_AND_HOP_MS).encode())
    ends = [Send(topic, b"end", None, number, (end,), until_ms) for number in range(partitions)]
    return Feed(sends, ends)


def _calm(rng: random.Random, count: int, start_ms: int) -> Iterator[News]:
    """Ordinary days; a few items late, a few seen again."""
    texts = _texts()
    step_ms = SPAN_MS // count
    earlier: list[News] = []
    for number in range(count):
        seen_ms = start_ms + number * step_ms
        if earlier and rng.random() < REPEATED:
            yield msgspec.structs.replace(rng.choice(earlier), seen_ms=seen_ms)
            continue
        news = to_news(next(texts), FieldMap.default(), seen_ms=seen_ms, now_ms=seen_ms)
        news.published_ms = seen_ms - (DAY_MS if rng.random() < LATE else 60_000)
        earlier.append(news)
        yield news


def _texts() -> Iterator[dict[str, Any]]:
    """The sample over and over; from the second round on its items are numbered, so that they are others."""
    for round_number in range(1_000):
        for raw in generate(seed=round_number):
            if round_number and "title" in raw:
                raw |= {"id": f"{round_number}/{raw['id']}", "title": f"{raw['title']} {round_number}"}
            elif round_number:
                raw |= {"guid": f"{round_number}/{raw['guid']}", "headline": f"{raw['headline']} {round_number}"}
            yield raw


def _bursts(start_ms: int) -> Iterator[News]:
    """Bad news of one company after another, 20 s apart: titles that the null classifier calls negative."""
    for begin_days, company in BURSTS:
        begin_ms = start_ms + int(begin_days * DAY_MS)
        for number, title in zip(range(BURST_ITEMS), _negative_titles(company), strict=False):
            raw = {"id": f"{company}-{number}", "title": title, "source": "Burst Wire", "language": "en"}
            seen_ms = begin_ms + number * BURST_STEP_MS
            yield to_news(raw, FieldMap.default(), seen_ms=seen_ms, now_ms=seen_ms)


def _negative_titles(company: str) -> Iterator[str]:
    classifier = null_classifiers("finance")["en"]
    negative = classifier.labels["sentiment"].index("negative")
    for number in range(10_000):
        title = f"{company} faces inquiry number {number} over its latest safety report"
        if classifier.classify([title])["sentiment"][0].argmax() == negative:
            yield title


def _send(news: News, topic: str, partitions: int) -> Send:
    key = partition_key(news.title)
    partition = int.from_bytes(key, "big") % partitions
    return Send(topic, key, msgspec.json.encode(news), partition, timestamp_ms=news.seen_ms)


def _poison(rng: random.Random, sound: Send, partitions: int, until_ms: int) -> Send:
    """In place of a sound record: something that must be parked, in any partition."""
    value = rng.choice(_poisons(sound.value or b"", until_ms))
    return msgspec.structs.replace(sound, value=value, partition=rng.randrange(partitions))


def _poisons(sound: bytes, until_ms: int) -> Sequence[bytes | None]:
    future = msgspec.json.decode(sound, type=News)
    future.seen_ms = until_ms + 30 * DAY_MS
    return (
        sound[:-20],
        b"\x00\x01\x02\xff\xfe",
        b"",
        None,
        b"null",
        b'["a", "list"]',
        b"[" * 5_000,
        b'{"title": ["A", "list"], "source": "Wire"}',
        b'{"title": 12, "source": {"a": "b"}}',
        b'{"title": " \\u0000\\u0007 ", "source": "Wire"}',
        b'{"title": "No one says this"}',
        b'{"title": "Of a later time", "source": "Wire", "id": "1", "content": "2", "seen_ms": 1, "schema": 99}',
        msgspec.json.encode(future),
    )
