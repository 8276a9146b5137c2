"""What each step of an item costs, in microseconds: text work, archive, and the bytes that it takes."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from models import NullClassifier
from streams.archive.sqlite import SqliteArchive
from streams.engine.runs import Record, Run
from streams.feeds.fieldmap import FieldMap, news_from_record, to_news
from streams.records import News, Scored
from streams.sample import generate
from streams.stages.reader import TextReader
from streams.stages.score import ScoreOptions, ScoreStage
from streams.text.clean import clean_text
from streams.text.language import decide_language
from streams.text.profile import load_profile
from streams.text.signature import normal_title, partition_key, signature
from streams.text.stories import StoryIndex
from streams.topics import Topics

NOW_MS = time.time_ns() // 1_000_000
BATCH = 500


def measure() -> dict[str, float]:
    items = _items()
    profile = load_profile("finance")
    reader = TextReader.build(profile)
    wire = [msgspec.json.encode(news) for news in items]
    figures = {
        "decode and check, µs": _each(lambda raw: news_from_record(raw, NOW_MS, FieldMap.default(), NOW_MS), wire),
        "clean title and text, µs": _each(
            lambda news: (clean_text(news.title, 500), clean_text(news.text, 4_000)), items
        ),
        "language, µs": _each(lambda news: decide_language(None, news.title, "en", 0.6), items),
        "signature, µs": _each(lambda news: signature(news.title), items),
        "partition key, µs": _each(lambda news: partition_key(news.title), items),
        "all reading of an item, µs": _each(reader.read, items),
        "stories, µs": _stories(StoryIndex(20_000, profile.opposites), items),
    }
    return figures | asyncio.run(_archive(reader, wire))


def _items() -> list[News]:
    usable = (raw for raw in generate(seed=7) if isinstance(raw.get("title"), str) and len(raw["title"]) < 1_000)
    found = []
    for index, raw in enumerate(usable):
        try:
            found.append(to_news(raw, FieldMap.default(), seen_ms=NOW_MS - 4_000_000 + index * 1_000, now_ms=NOW_MS))
        except ValueError:
            continue
    return found


def _each(step: Callable[..., object], items: Sequence[object]) -> float:
    """Median over five passes, in microseconds an item."""
    passes = []
    for _ in range(5):
        start = time.perf_counter()
        for item in items:
            step(item)
        passes.append((time.perf_counter() - start) / len(items) * 1e6)
    return sorted(passes)[2]


def _stories(index: StoryIndex, items: Sequence[News]) -> float:
    """One pass: a second one would find every id known."""
    titles = [normal_title(news.title) for news in items]
    start = time.perf_counter()
    for news, words in zip(items, titles, strict=True):
        index.assign(news.id, words, news.seen_ms)
    return (time.perf_counter() - start) / len(items) * 1e6


async def _archive(reader: TextReader, wire: Sequence[bytes]) -> dict[str, float]:
    profile = load_profile("finance")
    null = NullClassifier({"sentiment": ("negative", "neutral", "positive"), "topic": ("Earnings", "Markets")})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive.db"
        archive = SqliteArchive(path)
        stage = ScoreStage(
            ScoreOptions(Topics("b.", "bench")), profile, reader, {"en": null}, archive, _Nowhere(), FieldMap.default()
        )
        records = [Record(offset, None, value, NOW_MS) for offset, value in enumerate(wire)]
        drafts: list[Scored] = []
        stories = StoryIndex(20_000)
        start = time.perf_counter()
        for index in range(0, len(records), BATCH):
            run = Run("news", 0, 1, "e", records[index : index + BATCH], len(records))
            draft = stage._records.draft(run, run.records, stories)
            stage._classify(draft, await stage._versions.of(run), stage._profile)
            drafts += draft.items
        drafted = time.perf_counter() - start
        start = time.perf_counter()
        for index in range(0, len(drafts), BATCH):
            await archive.write_items(drafts[index : index + BATCH])
        written = time.perf_counter() - start
        await archive.close()
        size = path.stat().st_size
    return {
        "score without archive and sends, µs": drafted / len(records) * 1e6,
        "archive with full-text index, µs": written / len(drafts) * 1e6,
        "archive, bytes an item": size / len(drafts),
    }


class _Nowhere:
    async def send(self, sends: Sequence[object]) -> None:
        """Takes everything, keeps nothing."""
