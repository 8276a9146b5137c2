"""What `moodwire doctor` tries of the feeds: each is fetched once, side by side, and one process reads what they serve.

    one thread, one event loop ─┬─ fetch ─┐
                                ├─ fetch ─┼──► one parser process ──► a finding for each feed
                                └─ …      ┘

At the deadline a feed that was asked and has not answered is wrong. One that this machine did not come to is a warning:
nothing is known of it, and `--feed` tries it alone.
"""

from __future__ import annotations

import asyncio
import resource
import shlex
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import httpx

from streams.cli.doctor_checks import ANSWER_SECONDS, THREAD, WARNING, Check, Finding
from streams.cli.output import utc
from streams.errors import Reject, SettingsError, TransportError
from streams.feeds.documents.document import Document
from streams.feeds.documents.pool import ParserPool
from streams.feeds.feedlist import Feed, read_feeds
from streams.feeds.fetch import Fetched, fetch
from streams.net.client import open_client
from streams.settings import Settings
from streams.wall_clock import wall_clock_ms

__all__ = ["feed_checks"]

_FIX = "correct its address in MOODWIRE_FEEDS, or ask its publisher"
_FIX_OF_LIST = "correct the file, or unset MOODWIRE_FEEDS"
_MOST_AT_ONCE = 512


def feed_checks(settings: Settings, only: Collection[str] = ()) -> list[Check]:
    """The list of feeds, each mistake in it, and each feed that it names; `only` these feeds if any are named.

    Raises `SettingsError` for a name that the list lacks.
    """
    try:
        feeds, problems = read_feeds(settings.feeds) if settings.feeds is not None else ((), ())
    except SettingsError as error:
        feeds, problems = (), (str(error),)
    for name in only:
        if name not in {feed.name for feed in feeds}:
            raise SettingsError(f"no usable feed is called {name!r}: `moodwire doctor` lists those of MOODWIRE_FEEDS")
    listed = [] if only else _of_list(settings, len(feeds), problems)
    trial = _Trial([feed for feed in feeds if not only or feed.name in only])
    return [*listed, *(Check(_named(feed), partial(trial.ask, feed), _FIX, trial.late(feed)) for feed in trial.feeds)]


def _of_list(settings: Settings, usable: int, problems: Sequence[str]) -> list[Check]:
    if problems:
        return [Check("feeds", partial(_refuse, problem), _FIX_OF_LIST) for problem in problems]
    found = "none (MOODWIRE_FEEDS)" if settings.feeds is None else f"{usable} in {settings.feeds}"
    return [Check("feeds", lambda _: found)]


def _refuse(problem: str, _: Settings) -> str:
    raise SettingsError(problem)


def _named(feed: Feed) -> str:
    return f"feed {feed.name}"


def _at_once() -> int:
    """How many feeds are asked side by side: all, unless the process may not open so many connections."""
    return max(16, min(_MOST_AT_ONCE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))


class _Trial:
    """All feeds tried in one thread, which the first check starts; every check waits for its own."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._found: dict[str, Future[str]] = {feed.name: Future() for feed in feeds}
        self._asked: dict[str, float] = {}  # when each was asked, by the monotonic clock
        self._answered: set[str] = set()
        self.feeds = feeds
        self._started = False
        self._starting = threading.Lock()

    def ask(self, feed: Feed, settings: Settings) -> str:
        with self._starting:
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, args=(settings,), name=THREAD, daemon=True).start()
        return self._found[feed.name].result()

    def late(self, feed: Feed) -> Callable[[], Finding]:
        return partial(self._late, feed)

    def _late(self, feed: Feed) -> Finding:
        """The finding for a feed without a verdict at the deadline."""
        alone = f"`moodwire doctor --feed {shlex.quote(feed.name)}` tries it alone"
        if feed.name in self._answered:
            return Finding(_named(feed), "", "it answered, and was not read in time", fix=alone)
        asked = self._asked.get(feed.name)
        if asked is None:
            return Finding(_named(feed), "", warning="not tried in time", fix=alone)
        waited = f"asked {time.monotonic() - asked:.1f} s ago, no answer yet"
        return Finding(_named(feed), "", waited, fix=f"{_FIX}; {alone}")

    def _run(self, settings: Settings) -> None:
        try:
            asyncio.run(self._try_all(settings))
        except BaseException as error:  # each check says what is wrong
            for found in self._found.values():
                if not found.done():
                    found.set_exception(error)

    async def _try_all(self, settings: Settings) -> None:
        # Names are resolved in threads: a dead resolver of one must not keep the others waiting.
        at_once = _at_once()
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(at_once))
        gate = asyncio.Semaphore(at_once)
        async with ParserPool() as parser, open_client([feed.url for feed in self.feeds], settings.net) as client:
            await asyncio.gather(*(self._try(feed, client, parser, gate) for feed in self.feeds))

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
        now_ms = wall_clock_ms()
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
