"""Who may fetch now: a lane for most feeds, one for slow servers, and a few at once of each host in both.

    place ── lane of the feed's record ── fetching ──► done
               quick: 16 at once            │ over 5 s: moves to the slow lane, or is given up where that is full
               slow: 16 at once             └ as long as the fetch's own limit

So a server that sends a byte a second holds a quick slot for 5 s at most, however many there are of its kind.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

__all__ = ["FetchSlots", "Place", "SlotLimits"]


@dataclass(frozen=True, slots=True)
class SlotLimits:
    """How many fetches each lane has at once, how many of one host, and when one counts as slow.

    `documents` bounds memory: how many are fetched, being parsed or waiting for it.
    """

    lane: int = 16
    host: int = 4
    slow_seconds: float = 5.0
    documents: int = 48


_LIMITS = SlotLimits()


class _Lane:
    """A bounded number of fetches, and of each host."""

    def __init__(self, limits: SlotLimits) -> None:
        self._slots = asyncio.Semaphore(limits.lane)
        self._hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(limits.host))

    async def take(self, host: str) -> None:
        await self._hosts[host].acquire()  # before the slot: who waits for its host holds no other up
        try:
            await self._slots.acquire()
        except BaseException:
            self._hosts[host].release()
            raise

    def has_room(self, host: str) -> bool:
        """Whether `take` would not wait."""
        return not (self._slots.locked() or self._hosts[host].locked())

    def give_back(self, host: str) -> None:
        self._slots.release()
        self._hosts[host].release()


class FetchSlots:
    """The slots of all feeds of an event loop."""

    def __init__(self, limits: SlotLimits = _LIMITS) -> None:
        self._limits = limits
        self._quick, self._slow = _Lane(limits), _Lane(limits)
        self._documents = asyncio.Semaphore(limits.documents)

    @asynccontextmanager
    async def place(self, host: str, *, slow: bool) -> AsyncIterator[Place]:
        """Waits for a slot in the lane of a feed, by whether its server was slow the last time."""
        lane = self._slow if slow else self._quick
        await lane.take(host)
        place = Place(lane, self._slow, host, self._limits.slow_seconds)
        try:
            async with self._documents:
                yield place
        finally:
            place.leave()


class Place:
    """The slot of one poll. It is given back when the document is there; parsing and publishing need none."""

    def __init__(
        self, lane: _Lane | None = None, slow_lane: _Lane | None = None, host: str = "", slow_seconds: float = 5.0
    ) -> None:
        """Without a lane: of a poll that shares slots with no other."""
        self._lane = lane
        self._slow_lane, self._host, self._slow_seconds = slow_lane, host, slow_seconds
        self.was_slow = False

    @asynccontextmanager
    async def fetching(self) -> AsyncIterator[None]:
        """Raises `TimeoutError` when a fetch in the quick lane takes long and the slow lane is full."""
        async with asyncio.timeout(None) as limit:
            moving = asyncio.ensure_future(self._move(limit))
            try:
                yield
            finally:
                moving.cancel()
                self.leave()

    async def _move(self, limit: asyncio.Timeout) -> None:
        await asyncio.sleep(self._slow_seconds)
        self.was_slow = True
        if self._slow_lane is None or self._lane is self._slow_lane:
            return
        if not self._slow_lane.has_room(self._host):
            limit.reschedule(asyncio.get_running_loop().time())
            return
        await self._slow_lane.take(self._host)  # at once
        self.leave()
        self._lane = self._slow_lane

    def leave(self) -> None:
        """Gives the slot back, once."""
        lane, self._lane = self._lane, None
        if lane is not None:
            lane.give_back(self._host)
