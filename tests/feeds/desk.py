"""A feed server, a broker and pollers between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from streams.engine.ports import Send
from streams.feeds.documents.pool import DocumentParser
from streams.feeds.feedlist import Feed
from streams.feeds.poller import FeedPoller, PollTopics
from streams.feeds.publisher import BrokerPublisher
from streams.feeds.rejects import RejectRecord
from streams.records import News
from streams.transport.sqlite.client import EmbeddedBroker
from streams.transport.sqlite.store import Store
from tests.feeds.feed_server import FeedServer

NOW_MS = 1_780_000_000_000
TOPICS = PollTopics("live.news", "live.rejects")


def rss(*titles: str, first: int = 1, dates: bool = True) -> bytes:
    """Newest first, as feeds are; item n is n minutes old."""
    items = "".join(
        f"<item><guid>{n}</guid><title>{title}</title>"
        + (f"<pubDate>Tue, 17 Feb 2026 07:{59 - n:02d}:00 GMT</pubDate>" if dates else "")
        + "</item>"
        for n, title in enumerate(titles, start=first)
    )
    return f"<rss version='2.0'><channel><title>x</title>{items}</channel></rss>".encode()


class Announcing(BrokerPublisher):
    """Tells the event loop of everything that was published or noted."""

    def __init__(self, store: Store) -> None:
        super().__init__(EmbeddedBroker.of(store))
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Condition()

    def publish(self, sends: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
        super().publish(sends, progress)
        asyncio.run_coroutine_threadsafe(self._tell(), self._loop)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(condition)


class Desk:
    """A server, a broker and pollers between them."""

    def __init__(self, server: FeedServer, path: Path, client: httpx.AsyncClient, parser: DocumentParser) -> None:
        self.server, self.client, self.parser = server, client, parser
        self.store = Store.open(path)
        self.store.create_topic(TOPICS.news, 1)
        self.store.create_topic(TOPICS.rejects, 1, compacted=True)
        self.publisher = Announcing(self.store)

    def poller(self, path: str = "/rss", **options: Any) -> FeedPoller:
        limits = {key: options.pop(key) for key in ("timeout_seconds", "body_limit", "monotonic") if key in options}
        limits.setdefault("monotonic", lambda: 0.0)
        feed = Feed(**{"url": self.server.url(path), "name": path, **options})
        return FeedPoller(feed, self.publisher, self.client, TOPICS, self.parser, **limits)

    def news(self) -> list[News]:
        records = self.store.read(TOPICS.news, 0, 0, 10_000)
        return [msgspec.json.decode(record.value or b"", type=News) for record in records]

    def titles(self) -> list[str]:
        return [news.title for news in self.news()]

    def rejects(self) -> list[RejectRecord]:
        records = self.store.read(TOPICS.rejects, 0, 0, 10_000)
        return [msgspec.json.decode(record.value or b"", type=RejectRecord) for record in records]
