"""Polls the user's RSS and Atom feeds for as long as the pipeline runs.

    feeds.yaml ── a task per feed: wait until due ── FetchSlots.place ── FeedPoller.poll ── topic news

A slow, broken or hostile feed delays nobody. What a feed was and said is kept beside the records, so that a
restart repeats nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from streams.feeds.documents.pool import ParserPool
from streams.feeds.feedlist import Feed
from streams.feeds.poller import FeedPoller, Poll, PollOutcome, PollTopics
from streams.feeds.publisher import Publisher, open_publisher
from streams.feeds.slots import FetchSlots, Place
from streams.logs import get_logger, unexpected
from streams.net.client import open_client
from streams.settings import Settings
from streams.supervision import Beat
from streams.transport.asking import ask
from streams.wall_clock import DAY_MS, wall_clock_ms

__all__ = ["follow_feeds", "poll_feeds"]

log = get_logger(__name__)

_LONGEST_WAIT_MS = DAY_MS  # whatever was noted under a wall clock that went wrong
_AFTER_ERROR_MS = 10_000


OnPoll = Callable[[str, Poll, int], None]
"""Told of each poll: the feed's name, what it brought, and when (ms)."""


OnPlan = Callable[[str, float, int | None, int], None]
"""Called for each feed before any is polled: name, interval in seconds, when it is due (None: never), now (ms)."""


def _nobody(feed: str, poll: Poll, now_ms: int) -> None: ...


def _unplanned(feed: str, interval_seconds: float, due_ms: int | None, now_ms: int) -> None: ...


async def poll_feeds(
    settings: Settings,
    feeds: Sequence[Feed],
    stop: asyncio.Event,
    on_poll: OnPoll,
    beat: Beat,
    *,
    on_plan: OnPlan = _unplanned,
) -> None:
    """Polls `feeds` until `stop` is set, and beats when it begins; raises when the broker cannot be reached."""
    publisher = await ask(lambda: _publisher(settings), "feeds")
    try:
        async with ParserPool() as parser, open_client([feed.url for feed in feeds], settings.net) as client:
            topics = PollTopics(settings.topics.news, settings.topics.rejects)
            pollers = await ask(
                lambda: [FeedPoller(feed, publisher, client, topics, parser) for feed in feeds], "feeds"
            )
            for poller in pollers:
                state = poller.state
                on_plan(
                    poller.feed.name,
                    poller.feed.interval_seconds,
                    None if state.gone else state.due_ms,
                    wall_clock_ms(),
                )
            beat()
            await follow_feeds(pollers, stop, on_poll=on_poll)
    finally:
        await asyncio.to_thread(publisher.close)


def _publisher(settings: Settings) -> Publisher:
    """Asked in a thread: on Kafka it reads the notes of progress, and waits for a broker that is away."""
    return open_publisher(settings.broker, progress_topic=settings.topics.progress, kafka=settings.kafka)


async def follow_feeds(
    pollers: Sequence[FeedPoller],
    stop: asyncio.Event,
    clock: Callable[[], int] = wall_clock_ms,
    on_poll: OnPoll = _nobody,
    slots: FetchSlots | None = None,
) -> None:
    """Polls each feed when it is due until `stop` is set; `clock` gives UTC epoch milliseconds.

    Raises what ends the task of a feed, which is a defect: `_poll` keeps all that a feed may do.
    """
    slots = slots or FetchSlots()
    following = [asyncio.ensure_future(_follow(poller, slots, stop, clock, on_poll)) for poller in pollers]
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await _first_failure(following, stopped)
    finally:
        stopped.cancel()
        for task in following:
            task.cancel()  # a fetch is given up, what is being published is finished
        await asyncio.gather(*following, return_exceptions=True)


async def _first_failure(following: Iterable[asyncio.Future[None]], stopped: asyncio.Future[Any]) -> None:
    """Waits until `stopped`; raises the error of a task that ends with one before."""
    waiting: set[asyncio.Future[Any]] = {stopped, *following}
    while not stopped.done():
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a feed that is gone for good has none


async def _follow(
    poller: FeedPoller, slots: FetchSlots, stop: asyncio.Event, clock: Callable[[], int], on_poll: OnPoll
) -> None:
    due_ms: int | None = poller.state.due_ms
    while due_ms is not None and not await _stopped_before(due_ms, stop, clock):
        async with slots.place(poller.host, slow=poller.state.slow) as place:
            due_ms = await _poll(poller, place, clock, on_poll)


async def _stopped_before(due_ms: int, stop: asyncio.Event, clock: Callable[[], int]) -> bool:
    """Waits until `due_ms`; True when told to stop before."""
    wait_ms = min(due_ms - clock(), _LONGEST_WAIT_MS)
    if wait_ms > 0:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_ms / 1000)
    return stop.is_set()


async def _poll(poller: FeedPoller, place: Place, clock: Callable[[], int], on_poll: OnPoll) -> int | None:
    """One poll; returns when the next one is due. The boundary: whatever goes wrong stays with this feed."""
    name = poller.feed.name
    try:
        poll = await poller.poll(clock(), place)
    except Exception as error:  # what was not published stays due
        due_ms = clock() + _AFTER_ERROR_MS
        log.warning("Feed items not published", feed=name, error=error, exc_info=unexpected(error))
        poll = Poll(PollOutcome.FAILED, due_ms=due_ms, error=f"not published: {error}")
        on_poll(name, poll, clock())
        return due_ms
    on_poll(name, poll, clock())
    if poll.outcome in (PollOutcome.FAILED, PollOutcome.GONE):
        log.warning("Feed poll failed", feed=name, outcome=poll.outcome.value, error=poll.error)
    elif poll.costly:
        wait_ms = (poll.due_ms or 0) - clock()
        log.warning("Feed is expensive to parse", feed=name, published=poll.published, retry_seconds=wait_ms / 1000)
    else:
        log.debug("Feed polled", feed=name, outcome=poll.outcome.value, published=poll.published)
    return poll.due_ms
