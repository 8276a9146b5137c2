"""What `moodwire doctor` tries of the feeds: each is fetched once, side by side, and one process reads what they serve.

    one thread, one event loop ─┬─ fetch ─┐
                                ├─ fetch ─┼──► one parser process ──► a finding for each feed
                                └─ …      ┘

A feed that this machine did not come to in time is a warning: nothing is known of it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import httpx

from streams.cli.doctor_checks import ANSWER_SECONDS, THREAD, WARNING, Check
from streams.cli.output import utc
from streams.errors import Reject, SettingsError, TransportError
from streams.feeds.documents.document import Document
from streams.feeds.documents.pool import ParserPool
from streams.feeds.feedlist import Feed, load_feeds
from streams.feeds.fetch import Fetched, fetch
from streams.net.client import open_client
from streams.settings import Settings

__all__ = ["feed_checks"]

_FIX = "correct its address in MOODWIRE_FEEDS, or ask whoever serves it"
_AT_ONCE = 64
_FAIR_SECONDS = 2.5
"""A feed that was asked for less than this by the deadline had no fair chance to answer."""


def feed_checks(settings: Settings) -> list[Check]:
    """The list of feeds, and each feed that it names."""
    listed = Check("feeds", _feeds, "correct the file, or unset MOODWIRE_FEEDS")
    try:
        feeds = load_feeds(settings.feeds) if settings.feeds is not None else ()
    except SettingsError:
        feeds = ()
    trial = _Trial(feeds)
    return [listed, *(Check(f"feed {feed.name}", partial(trial.ask, feed), _FIX, trial.late(feed)) for feed in feeds)]


def _feeds(settings: Settings) -> str:
    if settings.feeds is None:
        return "none (MOODWIRE_FEEDS)"
    return f"{len(load_feeds(settings.feeds))} in {settings.feeds}"


class _Trial:
    """All feeds tried in one thread, which the first check starts; every check waits for its own."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._found: dict[str, Future[str]] = {feed.name: Future() for feed in feeds}
        self._asked: dict[str, float] = {}  # when each was asked, by the monotonic clock
        self._answered: set[str] = set()
        self._feeds = feeds
        self._started = False
        self._starting = threading.Lock()

    def ask(self, feed: Feed, settings: Settings) -> str:
        with self._starting:
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, args=(settings,), name=THREAD, daemon=True).start()
        return self._found[feed.name].result()

    def late(self, feed: Feed) -> partial[str]:
        return partial(self._late, feed.name)

    def _late(self, name: str) -> str:
        """What is said of a feed without a finding at the deadline; "" for one that had time enough to answer."""
        if name in self._answered:
            return "it answered, and was not read in time"
        asked = self._asked.get(name)
        return "not tried in time" if asked is None or time.monotonic() - asked < _FAIR_SECONDS else ""

    def _run(self, settings: Settings) -> None:
        try:
            asyncio.run(self._try_all(settings))
        except BaseException as error:  # each check says what is wrong
            for found in self._found.values():
                if not found.done():
                    found.set_exception(error)

    async def _try_all(self, settings: Settings) -> None:
        # Names are resolved in threads: a dead resolver of one must not keep the others waiting.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_AT_ONCE))
        gate = asyncio.Semaphore(_AT_ONCE)
        async with ParserPool() as parser, open_client([feed.url for feed in self._feeds], settings.net) as client:
            await asyncio.gather(*(self._try(feed, client, parser, gate) for feed in self._feeds))

    async def _try(self, feed: Feed, client: httpx.AsyncClient, parser: ParserPool, gate: asyncio.Semaphore) -> None:
        found = self._found[feed.name]
        try:
            async with gate:
                fetched = await self._fetched(feed, client)
            found.set_result(_said(await parser.parse(fetched.body or b"", fetched.headers, fetched.url)))
        except Reject as reject:
            found.set_exception(TransportError(f"what it serves is no feed: {reject}"))
        except Exception as error:
            found.set_exception(error)

    async def _fetched(self, feed: Feed, client: httpx.AsyncClient) -> Fetched:
        self._asked[feed.name] = time.monotonic()
        now_ms = time.time_ns() // 1_000_000
        fetched = await fetch(
            client, feed, url=feed.url, etag=None, modified=None, now_ms=now_ms, timeout_seconds=ANSWER_SECONDS
        )
        self._answered.add(feed.name)
        return fetched


def _said(document: Document) -> str:
    dates = [date for entry in document.entries if isinstance(date := entry.get("published"), int)]
    newest = f", the newest of {utc(max(dates))}" if dates else ""
    flaw = f"{WARNING}{document.flaw}" if document.flaw else ""
    none = f"{WARNING}it has no entries" if not document.entries else ""
    return f"{len(document.entries)} entries{newest}{none or flaw}"
