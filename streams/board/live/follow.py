"""Follows the sources in a thread of its own, and hands what they say to the hub, in the event loop.

open ─► begin ─► poll ─► happenings ─► hub.publish ─► poll …
  ▲                └─ a topic was made (again), or the broker fails: from the last offsets on, after a wait
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Final

from streams.board.live.hub import Hub
from streams.board.live.sources import Source
from streams.errors import MoodwireError, TopicChanged
from streams.logs import get_logger
from streams.transport.broker import Broker
from streams.transport.tail import Grown, Tail, TailFrom

__all__ = ["Follower"]

log = get_logger(__name__)

_LOOK_SECONDS: Final = 0.25
"""Looks begin at least so far apart: many events at once cost 200 streams less than one at a time."""

_WAIT_SECONDS: Final = 1.0
_END_SECONDS: Final = 0.5
_AGAIN_SECONDS: Final = 2.0
"""After a failure, and between looks for topics that do not exist yet."""


class Follower:
    """`open_broker` opens a connection of its own; a source whose topic does not exist yet is waited for."""

    def __init__(self, open_broker: Callable[[], Broker], sources: Sequence[Source], hub: Hub) -> None:
        self._open = open_broker
        self._sources = sources
        self._hub = hub
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._at: dict[str, dict[int, int]] = {}
        self._epochs: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="board follows", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Returns when the thread has ended, or is held for too long by a broker that is away.

        Then it ends with that call; it keeps no process alive.
        """
        self._stop.set()
        await asyncio.to_thread(self._thread.join, _END_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._open() as broker:
                    self._follow(broker)
            except TopicChanged as changed:
                log.info("Topics followed anew", reason=str(changed))
            except MoodwireError as error:
                log.warning("Topics not followed", error=error, retry_seconds=_AGAIN_SECONDS)
                self._stop.wait(_AGAIN_SECONDS)
            except Exception as error:  # the border of the thread, without which streams would fall silent
                log.exception("Topics not followed", error=error, retry_seconds=_AGAIN_SECONDS)
                self._stop.wait(_AGAIN_SECONDS)

    def _follow(self, broker: Broker) -> None:
        """Until the stop, or until a topic that was lacking exists."""
        present = [one for one in self._sources if one.topic in broker.names(one.topic)]
        lacking = [one.topic for one in self._sources if one not in present]
        if not present:
            self._stop.wait(_AGAIN_SECONDS)
            return
        with broker.tail([self._start(one, broker) for one in present]) as tail:
            self._begin(present, tail)
            by_topic = {one.topic: one for one in present}
            looked = time.monotonic()
            while not self._stop.is_set():
                self._look(tail, by_topic)
                if lacking and time.monotonic() - looked > _AGAIN_SECONDS:
                    looked = time.monotonic()
                    if any(name in broker.names(name) for name in lacking):
                        return

    def _start(self, source: Source, broker: Broker) -> TailFrom:
        """Where the source is read from: on from where it was, unless its topic was made again since."""
        now, at = broker.topic(source.topic), self._at.pop(source.topic, {})
        if self._epochs.get(source.topic) == now.epoch and len(at) == now.partitions:
            self._at[source.topic] = at
            return source.going_on(at)
        return source.begin(broker)

    def _begin(self, present: Sequence[Source], tail: Tail) -> None:
        for one in present:
            if one.topic not in self._at:
                offsets = {number: at for (topic, number), at in tail.next_offsets.items() if topic == one.topic}
                self._at[one.topic] = offsets
                self._in_loop(self._hub.begin, one.name, tail.epochs[one.topic], dict(offsets))
        self._epochs = dict(tail.epochs)

    def _look(self, tail: Tail, sources: Mapping[str, Source]) -> None:
        begun = time.monotonic()
        found = tail.poll(_WAIT_SECONDS)
        if found:
            happenings = [one for grown in found for one in sources[grown.topic].happenings(grown)]
            self._in_loop(self._hub.publish, happenings, _reached(found, sources))
            for grown in found:
                self._at[grown.topic][grown.partition] = grown.next_offset
        self._stop.wait(max(0.0, _LOOK_SECONDS - (time.monotonic() - begun)))

    def _in_loop(self, call: Callable[..., None], *arguments: object) -> None:
        """Returns when the event loop has done it, so that no more is read than it can take."""
        done: Future[None] = Future()

        def work() -> None:
            try:
                call(*arguments)
            except Exception as error:  # the border of the loop: raised where it was asked
                done.set_exception(error)
            else:
                done.set_result(None)

        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(work)
        while not self._stop.is_set():
            with suppress(FutureTimeout):
                done.result(_WAIT_SECONDS)
                return


def _reached(found: Sequence[Grown], sources: Mapping[str, Source]) -> dict[tuple[str, int], int]:
    return {(sources[one.topic].name, one.partition): one.next_offset for one in found}
