"""The Elasticsearch archive against the client's own bulk helper: the same documents, the same server, one run.

Both write to fresh indices with the archive's templates. The helper is given the documents ready made, so it does less
than we do: it decides nothing about copies, revisions and redone runs. Rounds alternate, since a server gets faster
while it warms up. The share says whether indexing through the archive is a bottleneck (target: at least 80 %).
"""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import async_bulk

from streams.archive.elastic.archive import ElasticArchive
from streams.archive.elastic.documents import document_id, item_document
from streams.archive.elastic.options import ElasticOptions
from streams.records import EntityMention, HeadScore, News, Position, Scored, Story
from streams.sample import generate
from tests.integration.elastic_server import running_elastic
from tests.stages.finance_items import counted, sentiment

ITEMS = 6_000
ROUNDS = 3
BATCH = 500  # what the stage `score` writes at once
WRITERS = 4  # partitions of one worker
WARM_ROUNDS = 4
WARM_SEGMENTS = 20
WARM_ITEMS = 2_500
"""Items of a segment."""


def measure() -> dict[str, float]:
    with running_elastic() as server:
        return asyncio.run(_measure(server.url))


async def _measure(url: str) -> dict[str, float]:
    ours: list[float] = []
    theirs: list[float] = []
    alone: list[float] = []
    for round_number in range(ROUNDS + 1):
        items = _items(ITEMS, round_number)
        seconds = (
            await _write_with(url, items, WRITERS),
            await _bulk_helper(url, items),
            await _write_with(url, items, 1),
        )
        if round_number:  # the first warms the server up
            for rates, each in zip((ours, theirs, alone), seconds, strict=True):
                rates.append(ITEMS / each)
    return {
        "archive, four partitions: items/s": statistics.median(ours),
        "archive, one partition: items/s": statistics.median(alone),
        "async_bulk: items/s": statistics.median(theirs),
        "four partitions as a share of async_bulk, %": _share(ours, theirs),
        "one partition as a share of async_bulk, %": _share(alone, theirs),
    }


async def warmed(url: str) -> None:
    """Bring a server to where one is that has run for a day: what indexes and what merges is compiled.

    Until then either takes up to five times as long (60,000 items merged: 3.9 s of a core, then 0.8 s), and a stream
    gets there in an hour or so, for merges are rare.
    """
    for number in range(WARM_ROUNDS):
        archive = ElasticArchive(url, ElasticOptions(prefix=f"warm-{number}-", replicas=0))
        try:
            for segment in range(WARM_SEGMENTS):
                await _in_batches(archive, _items(WARM_ITEMS, segment), WRITERS)
                await archive.session.call("POST", f"/{archive.names.days},{archive.names.registry}/_refresh")
            for index in (archive.names.days, archive.names.registry):
                await archive.session.call("POST", f"/{index}/_forcemerge", params={"max_num_segments": 1})
        finally:
            await archive.close()


def _share(rates: Sequence[float], of: Sequence[float]) -> float:
    """The median over the rounds, in percent: each round's rates were taken one after the other."""
    return statistics.median(rate / other for rate, other in zip(rates, of, strict=True)) * 100


async def _write_with(url: str, items: Sequence[Scored], writers: int) -> float:
    """Seconds to write all items in batches, by so many writers at once."""
    archive = ElasticArchive(url, ElasticOptions(prefix=f"bench-{uuid.uuid4().hex[:8]}-", replicas=0))
    try:
        await archive.write_items(items[:1])
        return await _timed(lambda: _in_batches(archive, items, writers))
    finally:
        await archive.close()


async def _in_batches(archive: ElasticArchive, items: Sequence[Scored], writers: int) -> None:
    batches = iter([items[start : start + BATCH] for start in range(0, len(items), BATCH)])

    async def write() -> None:
        for batch in batches:
            await archive.write_items(batch)

    await asyncio.gather(*(write() for _ in range(writers)))


async def _bulk_helper(url: str, items: Sequence[Scored]) -> float:
    """Seconds that `async_bulk` takes for the same documents, in chunks of the same size."""
    prefix = f"bench-{uuid.uuid4().hex[:8]}-"
    archive = ElasticArchive(url, ElasticOptions(prefix=prefix, replicas=0))
    await archive.write_items(items[:1])
    await archive.close()
    index = archive.names.of_day("bench")
    actions: list[dict[str, Any]] = [
        {
            "_op_type": "create",
            "_index": index,
            "_id": document_id(item.news.id, item.news.content),
            "_source": msgspec.json.decode(item_document(item, is_item=True)),
        }
        for item in items[1:]
    ]
    async with AsyncElasticsearch(url) as client:
        return await _timed(lambda: async_bulk(client, actions, chunk_size=BATCH))


async def _timed(job: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await job()
    return time.perf_counter() - begun


def _items(count: int, seed: int) -> list[Scored]:
    """Scored items of one day, with the titles and texts of the sample feed."""
    now_ms = time.time_ns() // 1_000_000
    texts = [raw for raw in generate(seed=seed) if isinstance(raw.get("title"), str)]
    return [_item(texts[number % len(texts)], number, seed, now_ms) for number in range(count)]


def _item(raw: dict[str, Any], number: int, seed: int, now_ms: int) -> Scored:
    item = Scored(
        news=News(
            id=uuid.uuid4().hex,
            content=f"{number:016x}",
            title=f"{raw['title']} {number}",
            text=str(raw.get("text", "")),
            source=str(raw.get("source", "wire")),
            url=f"https://news.example/{seed}/{number}",
            seen_ms=now_ms - number,
        ),
        position=Position("bench", number % 4, number),
        scored_ms=now_ms,
        language="en",
        heads={"sentiment": sentiment("negative", 0.8, 0.1, 0.1), "topic": HeadScore("Earnings", 0.9)},
        series={},
        entities=(EntityMention("ACME", "Acme", 1.0), EntityMention("GLOBEX", "Globex", 0.5)),
        watchlists=("banks",),
        story=Story(f"story{number % 100}", None, {"12h": 1, "24h": 2, "3d": 2, "5d": 2, "7d": 3}),
        signature=f"{number:016x}",
        model="distil",
        model_version="1",
    )
    return counted(item)
