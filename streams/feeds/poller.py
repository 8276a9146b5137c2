"""One feed's poller: fetch, parse, publish what is new, remember.

fetch (conditional GET) ── DocumentParser ── to_news ── new ones ── Publisher, with the feed's state
  │ 304                      │ Reject           │ Reject
  └─ nothing                 └────── rejects ◄──┘
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from streams.engine.ports import Send
from streams.errors import MoodwireError, Reject
from streams.feeds.documents.document import Document
from streams.feeds.documents.pool import (
    COSTLY_SECONDS,
    CostlyReject,
    DocumentParser,
    ParserBusy,
    ParserUnavailable,
)
from streams.feeds.feedlist import Feed
from streams.feeds.fetch import BODY_LIMIT, Fetched, FetchFailed, fetch
from streams.feeds.fieldmap import FieldMap, to_news
from streams.feeds.outcome import Poll, PollOutcome, PollTopics
from streams.feeds.progress import COUNTED_UNTIL
from streams.feeds.publisher import Publisher
from streams.feeds.rejects import Unprocessed, reject_send
from streams.feeds.schedule import FeedState, after_failure, after_success, state_key
from streams.feeds.slots import Place
from streams.limits import check_records
from streams.logs import get_logger
from streams.records import News
from streams.text.signature import partition_key

__all__ = ["FeedPoller", "Poll", "PollOutcome", "PollTopics"]

log = get_logger(__name__)

_FEWEST_REMEMBERED = 2_000  # entries of a feed; at least twice what its document holds


class FeedPoller:
    """Polls one feed. `now_ms` is passed in; mapping and publishing run in threads, parsing where `parser` has it.

    `monotonic` (seconds) measures how long a poll takes: the next one is due an interval after its end.
    """

    def __init__(
        self,
        feed: Feed,
        publisher: Publisher,
        client: httpx.AsyncClient,
        topics: PollTopics,
        parser: DocumentParser,
        *,
        timeout_seconds: float = 60.0,
        body_limit: int = BODY_LIMIT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.feed = feed
        self._publisher, self._client, self._topics, self._parser = publisher, client, topics, parser
        self._timeout_seconds, self._body_limit = timeout_seconds, body_limit
        self._monotonic, self._begun = monotonic, monotonic()
        self._fieldmap = FieldMap.default().with_source(feed.name)
        self._key = state_key(feed.url)
        self._rng = random.Random(feed.url)  # noqa: S311  # spreads polls, hides nothing
        note = publisher.progress(self._key)
        self.state = FeedState() if note is None else msgspec.json.decode(note, type=FeedState)

    @property
    def host(self) -> str:
        """The host of the address in the feeds file, wherever the feed has moved."""
        return urlsplit(self.feed.url).hostname or ""

    async def poll(self, now_ms: int, place: Place | None = None) -> Poll:
        """Asks the feed once, publishes what is new in it, and remembers; raises only what the publisher raises.

        Whatever else goes wrong is a failed poll, with its reason and a longer wait. `place` is the slot for the fetch.
        """
        self._begun = self._monotonic()
        try:
            return await self._poll(now_ms, place or Place())
        except MoodwireError:
            raise
        except Exception as error:  # a defect of ours, shown by what this feed sent
            log.exception("Feed poll failed unexpectedly", feed=self.feed.name)
            return await self._failed(FetchFailed(f"moodwire could not process it: {error!r}"), now_ms)

    async def _poll(self, now_ms: int, place: Place) -> Poll:
        try:
            fetched = await self._fetch(now_ms, place)
        except FetchFailed as failure:
            return await self._failed(failure, now_ms)
        if fetched.body is None or _hash(fetched.body) == self.state.body_hash:
            return await self._unchanged(fetched, now_ms)
        try:
            document = await self._parsed(fetched)
        except Reject as reject:
            return await self._unreadable(fetched, reject, now_ms)
        except ParserUnavailable as failure:
            return await self._failed(FetchFailed(str(failure)), now_ms)
        return await self._publish(fetched, document, now_ms)

    async def _fetch(self, now_ms: int, place: Place) -> Fetched:
        try:
            async with place.fetching():
                return await fetch(
                    self._client,
                    self.feed,
                    url=self.state.moved_to or self.feed.url,
                    etag=self.state.etag,
                    modified=self.state.modified,
                    now_ms=now_ms,
                    timeout_seconds=self._timeout_seconds,
                    body_limit=self._body_limit,
                )
        except TimeoutError:
            raise FetchFailed("its server is slow, and the slots for slow servers are taken") from None
        finally:
            self.state = msgspec.structs.replace(self.state, slow=place.was_slow)

    async def _parsed(self, fetched: Fetched) -> Document:
        """Counts documents in a row that take the parser long, so that the next goes to their lane."""
        assert fetched.body is not None
        costly = self.state.costly > 0
        try:
            document = await self._parser.parse(fetched.body, fetched.headers, fetched.url, costly=costly)
        except (CostlyReject, ParserBusy):
            self._count_costly(True)
            raise
        except Reject:
            self._count_costly(False)
            raise
        self._count_costly(document.cpu_seconds > COSTLY_SECONDS)
        return document

    def _ended_ms(self, now_ms: int) -> int:
        """The time now, of a poll that began at `now_ms`: parsing may take longer than the feed's interval."""
        return now_ms + int((self._monotonic() - self._begun) * 1000)

    def _count_costly(self, was_costly: bool) -> None:
        self.state = msgspec.structs.replace(self.state, costly=self.state.costly + 1 if was_costly else 0)

    # -- what became of it

    async def _failed(self, failure: FetchFailed, now_ms: int, sends: Sequence[Send] = ()) -> Poll:
        failures = self.state.failures + 1
        ended_ms = self._ended_ms(now_ms)
        due_ms = after_failure(self.feed.interval_seconds, failures, failure.retry_after_seconds, ended_ms, self._rng)
        # A new address that fails is given up: the next poll asks the old one again.
        state = msgspec.structs.replace(
            self.state, failures=failures, due_ms=due_ms, gone=failure.gone, error=str(failure), moved_to=None
        )
        await self._keep(state, sends)
        outcome = PollOutcome.GONE if failure.gone else PollOutcome.FAILED
        return Poll(outcome, 0, len(sends), None if failure.gone else due_ms, str(failure))

    async def _unreadable(self, fetched: Fetched, reject: Reject, now_ms: int) -> Poll:
        assert fetched.body is not None
        position = f"feed:{self.feed.name}:{_hash(fetched.body)}"
        send = self._reject(position, reject, fetched.body, now_ms)
        return await self._failed(FetchFailed(str(reject)), now_ms, [send])

    async def _unchanged(self, fetched: Fetched, now_ms: int) -> Poll:
        state = self._succeeded(fetched, now_ms, self.state.body_hash, self.state.recent)
        if msgspec.structs.replace(state, due_ms=self.state.due_ms) == self.state:
            self.state = state  # only the next poll's time is new, which a restart may forget
        else:
            await self._keep(state, ())
        return Poll(PollOutcome.UNCHANGED, due_ms=state.due_ms)

    async def _publish(self, fetched: Fetched, document: Document, now_ms: int) -> Poll:
        assert fetched.body is not None
        keys, sends = await asyncio.to_thread(self._mapped, document, now_ms)  # of 2,000 entries 0.2 s
        published = sum(send.topic == self._topics.news for send in sends)
        state = self._succeeded(fetched, now_ms, _hash(fetched.body), self._remembered(keys))
        await self._keep(state, sends, {COUNTED_UNTIL: str(now_ms)} if published else {})
        rejected = len(sends) - published
        return Poll(
            PollOutcome.UPDATED, published, rejected, state.due_ms, document.flaw, document.dropped, state.costly > 0
        )

    def _mapped(self, document: Document, now_ms: int) -> tuple[list[str], list[Send]]:
        """The keys of all entries, and the records of those that are new."""
        known = set(self.state.recent)
        keys: list[str] = []
        sends: list[Send] = []
        for record in document.entries:
            key, send = self._entry(record, now_ms)
            keys.append(key)
            if key not in known:
                known.add(key)
                sends.append(send)
        return keys, sends

    def _entry(self, record: Mapping[str, Any], now_ms: int) -> tuple[str, Send]:
        """What is remembered of an entry, so that a correction is new, and its record for `news` or `rejects`."""
        if record["language"] is None:
            record = {**record, "language": self.feed.language}
        try:
            news = to_news(record, self._fieldmap, seen_ms=now_ms, now_ms=now_ms)
            send = self._news(news)
            check_records([send])
        except Reject as reject:
            raw = msgspec.json.encode(record)
            return _hash(raw), self._reject(f"feed:{self.feed.name}:{_hash(raw)}", reject, raw, now_ms)
        return _hash(f"{news.id}{news.content}".encode()), send

    def _news(self, news: News) -> Send:
        return Send(self._topics.news, partition_key(news.title), msgspec.json.encode(news), timestamp_ms=news.seen_ms)

    def _reject(self, position: str, reject: Reject, raw: bytes, now_ms: int) -> Send:
        found = Unprocessed(position, self.feed.name, raw, seen_ms=now_ms)
        return reject_send(self._topics.rejects, found, reject, now_ms)

    def _remembered(self, keys: Sequence[str]) -> tuple[str, ...]:
        """The entries of this document last, so that they are forgotten last."""
        here = dict.fromkeys(keys)
        before = [key for key in self.state.recent if key not in here]
        return (*before, *here)[-max(_FEWEST_REMEMBERED, 2 * len(here)) :]

    def _succeeded(self, fetched: Fetched, now_ms: int, body_hash: str | None, recent: tuple[str, ...]) -> FeedState:
        unchanged = fetched.body is None
        costly = self.state.costly if body_hash != self.state.body_hash else 0  # what was not parsed cost nothing
        return FeedState(
            etag=fetched.etag or (self.state.etag if unchanged else None),
            modified=fetched.modified or (self.state.modified if unchanged else None),
            body_hash=body_hash,
            recent=recent,
            moved_to=fetched.moved_to or self.state.moved_to,
            due_ms=after_success(self.feed.interval_seconds, self._ended_ms(now_ms), self._rng, costly),
            slow=self.state.slow,
            costly=self.state.costly,
        )

    async def _keep(self, state: FeedState, sends: Sequence[Send], notes: Mapping[str, str] | None = None) -> None:
        """Publishes and remembers in one step; what was not acknowledged is not remembered."""
        note = {self._key: msgspec.json.encode(state).decode(), **(notes or {})}
        publishing = asyncio.ensure_future(asyncio.to_thread(self._publisher.publish, sends, note))
        try:
            await asyncio.shield(publishing)
        except asyncio.CancelledError:
            await publishing  # a thread cannot be stopped, and the broker's file must not be closed under it
            raise
        self.state = state


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
