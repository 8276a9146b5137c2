"""The board over 200,000 archived items while a replay archives more: p95 of what its views ask, in ms.

The embedded archive, and Elasticsearch where a server can be started here. Asked over HTTP of a running board, in turn.
Then the page in Chromium over the same archives, with 1,000 open alerts (`board_page`).
The hours of series are what `watch` archives, with bands that are made up: they cost the same to read.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec

from alerts import AlertEvent
from alerts.records import labels_of
from streams.archive import closing_archive, open_archive
from streams.archive.protocol import Archive, StoredHour
from streams.records import Scored
from streams.settings import Settings
from streams.stages.watch import stored_alert
from streams.wall_clock import DAY_MS, HOUR_MS
from tests.alerts.delivery_event import delivery_event
from tests.bench.board_news import DAYS, END_MS, board_news
from tests.bench.board_page import page_figures
from tests.board.board_server import serving, settings_in
from tests.integration.elastic_server import ElasticUnavailable, running_elastic
from tests.integration.replays import archived, command, environment

ITEMS = 200_000
ALERTS = 1_000
ROUNDS = 30
BATCH = 2_000
WEEK = f"since_ms={END_MS - 7 * DAY_MS}&until_ms={END_MS}"
ASKED = {
    "search: a common word": "v1/items?q=shares&story=one",
    "search: two words": "v1/items?q=profit+shares",
    "search: a company, negative": "v1/items?series=entity%2FC0001&label=sentiment%3Anegative",
    "facets: the newest 2,000": "v1/items/facets?",
    "points: all, 7 days": f"v1/series/all/points?{WEEK}&bucket_ms={HOUR_MS}",
    "points: a company, 7 days": f"v1/series/{quote('entity/C0001', safe='')}/points?{WEEK}&bucket_ms={HOUR_MS}",
    "movers: 24 hours": f"v1/series?since_ms={END_MS - DAY_MS}&until_ms={END_MS}",
    "heat map: 24 hours": f"v1/heatmap?since_ms={END_MS - DAY_MS}&until_ms={END_MS}",
    "heat map: 7 days": f"v1/heatmap?{WEEK}",
    "status": "v1/status",
}


def measure() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        figures = _of("embedded", settings_in(Path(folder)))
    with suppress(ElasticUnavailable), running_elastic() as server, tempfile.TemporaryDirectory() as folder:
        figures |= _of("Elasticsearch", settings_in(Path(folder), archive_url=server.url, archive_replicas=0))
    return figures


def _of(name: str, settings: Settings) -> dict[str, float]:
    asyncio.run(_fill(settings))
    with _replaying(settings):
        taken = asyncio.run(_asked(settings))
    figures = {f"{name}, {what}: p95 ms": _p95(times) for what, times in taken.items()}
    return figures | {f"{name}, {what}": figure for what, figure in asyncio.run(_seen(settings)).items()}


async def _seen(settings: Settings) -> dict[str, float]:
    async with closing_archive(_opened(settings)) as archive:
        await archive.write_alerts([stored_alert(_alert(number)) for number in range(ALERTS)])
        await archive.refresh()
    async with serving(settings, clock=lambda: END_MS) as board:
        return await page_figures(board.server.address)


def _alert(number: int) -> AlertEvent:
    """One of the last day, of a company of its own."""
    at_ms, series = END_MS - DAY_MS + number * DAY_MS // ALERTS, f"entity/C{number:04d}"
    event = delivery_event(f"{number:032x}")
    labels = labels_of(event.rule, event.signal, series, event.kind, event.severity)
    return msgspec.structs.replace(event, series=series, onset_ms=at_ms, updated_ms=at_ms, labels=labels)


async def _fill(settings: Settings) -> None:
    async with closing_archive(_opened(settings)) as archive:
        total: Counter[tuple[str, int]] = Counter()
        hits: Counter[tuple[str, int]] = Counter()
        for batch in _batches(board_news(ITEMS)):
            await archive.write_items(batch)
            for item in batch:
                hour = item.news.seen_ms // HOUR_MS * HOUR_MS
                for series, signals in item.series.items():
                    total[series, hour] += 1
                    hits[series, hour] += "negative" in signals
        await _write_hours(archive, total, hits)
        await archive.refresh()


def _opened(settings: Settings) -> Archive:
    return open_archive(settings.archive, settings.elastic)


async def _write_hours(archive: Archive, total: Counter[tuple[str, int]], hits: Counter[tuple[str, int]]) -> None:
    rows = [
        StoredHour("negative", series, start_ms, count, hits[series, start_ms], 0.2 * count, 0.5, 0, 1 + count)
        for (series, start_ms), count in sorted(total.items(), key=lambda pair: pair[0][1])
        if start_ms < END_MS - HOUR_MS
    ]
    for first in range(0, len(rows), BATCH):
        await archive.record_hours(rows[first : first + BATCH])


def _batches(items: Iterable[Scored]) -> Iterator[list[Scored]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


@contextmanager
def _replaying(settings: Settings) -> Iterator[None]:
    """`moodwire replay` plays older news into the same archive, with the shipped classifier, until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "older.ndjson"
        file.write_bytes(b"".join(_older()))
        before = archived(settings)
        process = subprocess.Popen(
            command("replay", file, "--into", settings.namespace),
            env=environment(settings.data_dir, terminal=False, **_archive_of(settings)),
            stdout=subprocess.DEVNULL,
        )
        try:
            while archived(settings) == before:
                assert process.poll() is None, "the replay ended before it archived anything"
                time.sleep(0.1)  # another process: there is no event to wait for
            yield
            assert process.poll() is None, "the replay ended while the board was asked: give it more lines"
        finally:
            process.terminate()
            process.wait()


def _archive_of(settings: Settings) -> dict[str, object]:
    url = settings.archive_url
    return {"archive_url": url, "archive_replicas": settings.archive_replicas} if url else {}


def _older() -> Iterator[bytes]:
    """Lines of a file of news before those of the archive."""
    for number, item in enumerate(board_news(ITEMS, seed=27)):
        news = item.news
        seen_ms = news.seen_ms - DAYS * DAY_MS
        line = {"id": f"old{number}", "title": news.title, "text": news.text, "source": news.source}
        yield (
            msgspec.json.encode(line | {"published": datetime.fromtimestamp(seen_ms / 1_000, UTC).isoformat()}) + b"\n"
        )


async def _asked(settings: Settings) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in ASKED}
    async with _client(settings) as client:
        async with client.get("v1/status") as answer:
            assert (await answer.json())["items_total"] >= ITEMS, "the board reads another archive than the one filled"
        for number in range(ROUNDS + 1):
            for name, path in ASKED.items():
                begun = time.perf_counter()
                async with client.get(path) as answer:
                    body = await answer.read()
                    assert answer.status == 200, body[:500]
                if number:  # the first reads what the gazetteer calls them
                    taken[name].append((time.perf_counter() - begun) * 1_000)
    return taken


@asynccontextmanager
async def _client(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(settings) as board:
        yield board.client


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[-1] if len(times) > 1 else math.nan
