"""Several stages in one process and one event loop, until a signal or an event stops them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from typing import Any

from streams.errors import Damaged, MoodwireError, TransportError, is_ours
from streams.logs import get_logger
from streams.transport import internals
from streams.transport.asking import ask
from streams.transport.broker import Late, open_broker
from streams.transport.faust_app import StageJob
from streams.transport.kafka.options import KafkaOptions
from streams.wall_clock import wall_clock_ms

__all__ = ["drained", "run_stages"]

log = get_logger(__name__)

_UPKEEP_SECONDS = 10.0
_CHECK_SECONDS = 1.0
_WARN_EVERY = 360  # turns: once an hour


def no_check() -> None:
    """There is nothing to check."""


async def run_stages(
    jobs: Sequence[StageJob], *, until: asyncio.Event | None = None, check: Callable[[], None] = no_check
) -> signal.Signals | None:
    """Runs until `until` is set, SIGTERM or SIGINT arrives, one stage's app fails, or `check` raises Damaged.

    `check` is called about once a second, also while there is nothing to do, and must not block. Then every stage
    finishes the runs in hand within its bound, commits them and stops. Returns the signal that arrived, if one did.
    Raises StageTaken when another worker has one of the stages, and TransportError when an app failed.
    """
    stop = until or asyncio.Event()
    with _stopped_by_signals(stop) as arrived:
        beside: list[asyncio.Task[None]] = []
        try:
            for job in jobs:
                job.app.transport.claim()
            await asyncio.gather(*(job.start() for job in jobs))
            beside = [asyncio.create_task(_upkeep(jobs)), asyncio.create_task(_checking(jobs, check))]
            await _first(stop, jobs)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)  # whatever they ended with, the stages stop well
            await asyncio.gather(*(job.stop() for job in jobs))
    for job in jobs:
        if job.app.crashed:
            raise TransportError(f"Stage {job.name} failed: {_reason(job)}") from job.app.crash_reason
    return arrived[0] if arrived else None


def _reason(job: StageJob) -> str:
    """Why it crashed: our own errors say it in words."""
    reason = job.app.crash_reason
    return str(reason) if reason is not None and is_ours(reason) else repr(reason)


@contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[list[signal.Signals]]:
    """SIGTERM and SIGINT set the event and are listed; outside the main thread no handler can be set."""
    loop = asyncio.get_running_loop()
    taken: list[signal.Signals] = []
    arrived: list[signal.Signals] = []

    def stop_for(number: signal.Signals) -> None:
        arrived.append(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(ValueError, RuntimeError, NotImplementedError):
            loop.add_signal_handler(number, stop_for, number)
            taken.append(number)
    try:
        yield arrived
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


async def _first(stop: asyncio.Event, jobs: Sequence[StageJob]) -> None:
    """Waits until the event is set or an app has crashed."""
    waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(stop.wait())]
    waits += [asyncio.ensure_future(job.app.wait_until_stopped()) for job in jobs]
    waits += [asyncio.ensure_future(internals.crashed(job.app)) for job in jobs]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _checking(jobs: Sequence[StageJob], check: Callable[[], None]) -> None:
    """Ends the stages when `check` finds damage, which no retry helps."""
    while jobs:
        await asyncio.sleep(_CHECK_SECONDS)
        try:
            check()
        except Damaged as error:
            await jobs[0].app.crash(error)
            return


async def _upkeep(jobs: Sequence[StageJob]) -> None:
    """Retention and compaction of an embedded broker, in a thread, now and then; a word about stages that are late."""
    transports = {str(job.app.transport.url): job.app.transport for job in jobs}
    problems: dict[str, str] = {}  # each is logged once an episode
    for turn in count():
        await asyncio.sleep(_UPKEEP_SECONDS)
        now_ms = wall_clock_ms()
        for url, transport in transports.items():
            mine = [(job.name, job.topic) for job in jobs if str(job.app.transport.url) == url]
            try:
                await asyncio.to_thread(transport.tidy, now_ms)
                if turn % _WARN_EVERY == 0:
                    _warn_of_the_late(await ask(partial(transport.late, now_ms, mine), "late"))
            except Damaged as error:
                await jobs[0].app.crash(error)
            except MoodwireError as error:
                if problems.get(url) != str(error):
                    log.warning("Upkeep of the broker failed", error=error, retry_seconds=_UPKEEP_SECONDS)
                problems[url] = str(error)
            except Exception:  # one turn's failure, whatever it is, must not end upkeep for good
                log.exception("Upkeep of the broker failed unexpectedly", retry_seconds=_UPKEEP_SECONDS)
            else:
                problems.pop(url, None)


def _warn_of_the_late(found: Sequence[Late]) -> None:
    for late in found:
        fields = {"group": late.group, "topic": late.topic, "partition": late.partition, "records": late.records}
        if late.lost:
            log.error("Records lost: retention removed them before the stage read them", **fields)
        else:
            log.warning(
                "Retention will soon remove records that the stage has not read (an embedded broker keeps them): "
                "start the stage, or add workers",
                **fields,
            )


def drained(broker_url: str, work: Sequence[tuple[str, str]], kafka: KafkaOptions | None = None) -> bool:
    """Whether every (group, topic) of `work` has committed all records of its topic."""
    with open_broker(broker_url, kafka) as broker:
        return all(broker.lag(group, topic) == 0 for group, topic in work)
