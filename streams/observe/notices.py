"""Notices about moodwire itself, through the channels of alerts, each until it is settled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from alerts.delivery import Channel, Delivered, GiveUp, Notice, Notification

__all__ = ["Notices"]

log = structlog.get_logger(__name__)

_MOST_ATTEMPTS = 10
_MOST_WAITING = 100


@dataclass(slots=True)
class _Waiting:
    notice: Notice
    channel: Channel
    attempt: int = 1
    due_ms: int = 0


class Notices:
    """Delivers and tries again: at most ten times, at most 100 at once, the oldest given up first."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._channels = tuple(channels)
        self._waiting: list[_Waiting] = []

    async def turn(self, notices: Iterable[Notice], now_ms: int) -> None:
        """Takes what is new and attempts what is due."""
        for notice in notices:
            log.error("trouble", change=notice.change, reason=notice.reason, about=notice.subject, detail=notice.detail)
            self._waiting += [_Waiting(notice, channel) for channel in self._channels]
        self._waiting = self._waiting[-_MOST_WAITING:]
        due = [waiting for waiting in self._waiting if waiting.due_ms <= now_ms]
        settled = [waiting for waiting in due if await self._settles(waiting, now_ms)]
        self._waiting = [waiting for waiting in self._waiting if waiting not in settled]

    async def _settles(self, waiting: _Waiting, now_ms: int) -> bool:
        channel = waiting.channel
        result = await channel.notify(Notification(waiting.notice, waiting.attempt), now_ms)
        if isinstance(result, Delivered):
            return True
        problem = result.reason if isinstance(result, GiveUp) else result.problem
        log.warning("notice_failed", channel=channel.name, problem=problem, attempt=waiting.attempt)
        if isinstance(result, GiveUp) or waiting.attempt >= _MOST_ATTEMPTS:
            return True
        waiting.attempt += 1
        waiting.due_ms = now_ms + int(result.after_seconds * 1000)
        return False

    async def aclose(self) -> None:
        for channel in self._channels:
            await channel.aclose()
