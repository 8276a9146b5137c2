"""Notices about moodwire itself, through the channels of alerts, each until it is settled.

    notice ─► one queue a channel ─► oldest first, with back-off, until its deadline

Each channel has a task of its own: one that is dead delays neither the others nor the monitor that calls.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.delivery import Channel, Delivered, GiveUp, Notice, Notification
from streams.logs import get_logger
from streams.wall_clock import HOUR_MS

__all__ = ["Notices"]

log = get_logger(__name__)

_DEADLINE_MS: Final = 72 * HOUR_MS
_MOST_WAITING: Final = 100
_PATIENCE_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Waiting:
    notice: Notice
    since_ms: int


class _Queue:
    """One channel's notices, at most 100; the oldest is given up for a new one."""

    def __init__(self, channel: Channel, deadline_ms: int) -> None:
        self.channel = channel
        self.task: asyncio.Task[None] | None = None
        self._deadline_ms = deadline_ms
        self._waiting: deque[_Waiting] = deque(maxlen=_MOST_WAITING)
        self._attempts = 0
        self._due_ms = 0

    def add(self, notice: Notice, now_ms: int) -> None:
        self._waiting.append(_Waiting(notice, now_ms))

    def due(self, now_ms: int) -> bool:
        busy = self.task is not None and not self.task.done()
        return bool(self._waiting) and not busy and self._due_ms <= now_ms

    async def send(self, now_ms: int) -> None:
        """Sends what waits until the channel does not take it."""
        while self._waiting:
            first = self._waiting[0]
            attempt = self._attempts + 1
            result = await self.channel.notify(Notification(first.notice, attempt), now_ms)
            self._attempts = attempt
            if not isinstance(result, Delivered):
                problem = result.reason if isinstance(result, GiveUp) else result.problem
                log.warning("Notice not delivered", channel=self.channel.name, error=problem, attempt=attempt)
                if not isinstance(result, GiveUp) and now_ms - first.since_ms < self._deadline_ms:
                    self._due_ms = now_ms + int(result.after_seconds * 1000)
                    return
            self._attempts = self._due_ms = 0
            if self._waiting and self._waiting[0] is first:  # else a newer one has pushed it out meanwhile
                self._waiting.popleft()


class Notices:
    """Delivers, and tries again until `deadline_ms` after the notice."""

    def __init__(self, channels: Sequence[Channel], deadline_ms: int = _DEADLINE_MS) -> None:
        self._queues = [_Queue(channel, deadline_ms) for channel in channels]

    async def turn(self, notices: Iterable[Notice], now_ms: int) -> None:
        """Takes what is new and attempts what is due; what takes longer than a second goes on afterwards."""
        for notice in notices:
            log.error(
                "Trouble", change=notice.change, reason=notice.reason, subject=notice.subject, detail=notice.detail
            )
            for queue in self._queues:
                queue.add(notice, now_ms)
        begun = [queue for queue in self._queues if queue.due(now_ms)]
        for queue in begun:
            queue.task = asyncio.create_task(queue.send(now_ms), name=f"notices {queue.channel.name}")
        tasks = [queue.task for queue in begun if queue.task is not None]
        if tasks:
            done, _ = await asyncio.wait(tasks, timeout=_PATIENCE_SECONDS)
            for task in done:
                if (error := task.exception()) is not None:
                    log.error("Channel failed unexpectedly", error=f"{type(error).__name__}: {error}")

    async def aclose(self) -> None:
        tasks = [queue.task for queue in self._queues if queue.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for queue in self._queues:
            await queue.channel.aclose()
