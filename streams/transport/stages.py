"""Several stages in one process and one event loop, until they are told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count

from streams.errors import TransportError
from streams.transport.faust_app import StageJob, open_store
from streams.transport.sqlite.store import Store

__all__ = ["drained", "run_stages"]

log = logging.getLogger(__name__)

_UPKEEP_SECONDS = 10.0
_WARN_EVERY = 360  # turns: once an hour


async def run_stages(jobs: Sequence[StageJob], *, until: asyncio.Event | None = None) -> None:
    """Runs until `until` is set, SIGTERM or SIGINT arrives, or one stage's app fails.

    Then every stage finishes the runs in hand within its bound, commits them and stops. Raises StageTaken
    when another worker has one of the stages, and TransportError when an app failed.
    """
    stop = until or asyncio.Event()
    with _stopped_by_signals(stop):
        upkeep = None
        try:
            for job in jobs:
                job.app.transport.claim()
            await asyncio.gather(*(job.start() for job in jobs))
            upkeep = asyncio.create_task(_upkeep(jobs))
            await _first(stop, jobs)
        finally:
            if upkeep is not None:
                upkeep.cancel()
                with suppress(asyncio.CancelledError):
                    await upkeep
            await asyncio.gather(*(job.stop() for job in jobs))
    for job in jobs:
        if job.app.crashed:
            raise TransportError(f"Stage {job.name} failed: {job.app.crash_reason!r}") from job.app.crash_reason


@contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set the event; outside the main thread signals are somebody else's."""
    loop = asyncio.get_running_loop()
    taken = []
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(ValueError, RuntimeError, NotImplementedError):
            loop.add_signal_handler(number, stop.set)
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


async def _first(stop: asyncio.Event, jobs: Sequence[StageJob]) -> None:
    """Waits until the event is set or an app has crashed."""
    waits = [asyncio.ensure_future(stop.wait())]
    waits += [asyncio.ensure_future(job.app.wait_until_stopped()) for job in jobs]
    waits += [asyncio.ensure_future(job.app._crashed.wait()) for job in jobs]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _upkeep(jobs: Sequence[StageJob]) -> None:
    """Retention and compaction of the stages' files, in a thread, now and then."""
    stores = {job.app.transport.broker.path: job.app.transport.broker.store for job in jobs}
    for turn in count():
        await asyncio.sleep(_UPKEEP_SECONDS)
        for store in stores.values():
            try:
                await asyncio.to_thread(_tidy, store, time.time_ns() // 1_000_000)
                if turn % _WARN_EVERY == 0:
                    await asyncio.to_thread(_warn_of_the_late, store, time.time_ns() // 1_000_000)
            except TransportError as error:
                log.warning("Upkeep of the embedded broker failed, again in %.0f s: %s", _UPKEEP_SECONDS, error)


def _tidy(store: Store, now_ms: int) -> None:
    store.enforce_retention(now_ms)
    store.compact(now_ms)


def _warn_of_the_late(store: Store, now_ms: int) -> None:
    for held in store.held_back(now_ms):
        log.warning(
            "%s has not read %d records of %s/%d that are past their retention; the file grows until it does: "
            "start that stage.", held.group, held.records, held.topic, held.partition
        )  # fmt: skip


def drained(broker_url: str, work: Sequence[tuple[str, str]]) -> bool:
    """Whether every (group, topic) of `work` has committed all that stands in its topic."""
    with open_store(broker_url) as store:
        return all(store.lag(group, topic) == 0 for group, topic in work)
