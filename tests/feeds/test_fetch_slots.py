"""Slots of fetches: slow servers hold up each other, and no feed that answers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from streams.feeds.poller import PollOutcome
from streams.feeds.polling import follow_feeds
from streams.feeds.slots import FetchSlots, SlotLimits
from tests.feeds.desk import NOW_MS, Desk, rss
from tests.feeds.feed_server import Answer, running_feed_server

LIMITS = SlotLimits(lane=2, host=1, slow_seconds=0.05, documents=8)
PATIENT = SlotLimits(lane=2, host=1, slow_seconds=600, documents=8)


class Fetches:
    """Fetches that last until they are ended."""

    def __init__(self, slots: FetchSlots) -> None:
        self.slots = slots
        self.under_way: list[str] = []
        self.given_up: list[str] = []
        self.slow: list[str] = []
        self.changed = asyncio.Condition()
        self.tasks: list[asyncio.Task[None]] = []

    def begin(self, host: str, *, slow: bool = False) -> None:
        self.tasks.append(asyncio.create_task(self._fetch(host, slow)))

    async def _fetch(self, host: str, slow: bool) -> None:
        async with self.slots.place(host, slow=slow) as place:
            try:
                async with place.fetching():
                    await self._say(self.under_way, host)
                    await asyncio.Event().wait()
            except TimeoutError:
                await self._say(self.given_up, host)
            finally:
                if place.was_slow:
                    self.slow.append(host)

    async def _say(self, where: list[str], host: str) -> None:
        async with self.changed:
            where.append(host)
            self.changed.notify_all()

    async def until(self, where: list[str], *hosts: str) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: sorted(where) == sorted(hosts))

    async def __aenter__(self) -> Fetches:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_host_has_few_slots_and_keeps_none_from_another() -> None:
    async with Fetches(FetchSlots(PATIENT)) as fetches:
        for host in ("a", "a", "a", "b"):
            fetches.begin(host)
        await fetches.until(fetches.under_way, "a", "b")
        await settled()
        assert fetches.under_way == ["a", "b"]
        fetches.tasks[0].cancel()
        await fetches.until(fetches.under_way, "a", "a", "b")


async def test_slow_feeds_hold_up_each_other_alone() -> None:
    async with Fetches(FetchSlots(PATIENT)) as fetches:
        for host in ("a", "b", "c", "d"):
            fetches.begin(host, slow=True)
        fetches.begin("good")
        await fetches.until(fetches.under_way, "a", "b", "good")


async def test_slow_fetches_move_over_or_are_given_up_where_there_is_no_room() -> None:
    async with Fetches(FetchSlots(LIMITS)) as fetches:
        hosts = ["a", "b", "c", "d", "e", "good"]
        for host in hosts:
            fetches.begin(host)
        await fetches.until(fetches.under_way, *hosts)
        await fetches.until(fetches.given_up, "c", "d", "e", "good")
        fetches.begin("f")
        await fetches.until(fetches.under_way, *hosts, "f")
    assert {"a", "b", "c", "d", "e", "good"} <= set(fetches.slow)


async def test_every_slot_is_given_back() -> None:
    slots = FetchSlots(LIMITS)
    for _ in range(3):
        async with Fetches(slots) as fetches:
            for host in ("a", "b", "c", "d"):
                fetches.begin(host)
                fetches.begin(host, slow=True)
            await fetches.until(fetches.given_up, "c", "d", "a", "b")
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        for slow in (False, True):
            for host in ("a", "b"):
                await stack.enter_async_context(slots.place(host, slow=slow))


async def test_a_document_that_is_there_needs_no_slot() -> None:
    slots = FetchSlots(PATIENT)
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        for _ in range(LIMITS.documents):
            place = await stack.enter_async_context(slots.place("a", slow=False))
            async with place.fetching():
                pass
        with pytest.raises(TimeoutError):  # memory is bounded
            await asyncio.wait_for(stack.enter_async_context(slots.place("a", slow=False)), 0.05)


async def test_twenty_slow_servers_delay_no_feed(desk: Desk) -> None:
    stalling = [f"/stalls{n}" for n in range(20)]
    desk.server.answers |= {path: Answer(body=rss("x"), stall=True) for path in stalling}
    slots, stop = FetchSlots(SlotLimits(lane=16, host=16, slow_seconds=0.2)), asyncio.Event()
    async with running_feed_server() as other:
        other.answers["/good"] = Answer(body=rss("good one"))
        pollers = [desk.poller(path, timeout_seconds=600) for path in stalling]
        pollers.append(desk.poller("/good", url=other.url("/good", "localhost")))
        following = asyncio.ensure_future(follow_feeds(pollers, stop, lambda: NOW_MS, slots=slots))
        await desk.publisher.until(lambda: bool(desk.titles()) and any(poller.state.slow for poller in pollers))
        stop.set()
        await asyncio.wait_for(following, 20)
    assert desk.titles() == ["good one"]


async def test_a_slow_feed_is_remembered_until_it_is_quick(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer(body=rss("x"), stall=True)
    async with FetchSlots(SlotLimits(slow_seconds=0.05)).place("x", slow=False) as place:
        assert (await desk.poller(timeout_seconds=0.5).poll(NOW_MS, place)).outcome is PollOutcome.FAILED
    poller = desk.poller()
    assert poller.state.slow
    desk.server.answers["/rss"] = Answer(body=rss("x"))
    async with FetchSlots(SlotLimits(slow_seconds=600)).place("x", slow=True) as place:
        assert (await poller.poll(NOW_MS, place)).published == 1
    assert not desk.poller().state.slow
