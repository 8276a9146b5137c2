"""Calls that block and may hang: one at a time in a thread of its own, with a deadline.

A thread cannot be ended. So a call that is past its deadline is left to itself, and no other begins before it has
ended. If it ends well after all, the next attempt of the same notification says so instead of sending it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from alerts.delivery import Delivered, Delivery, Notification, RetryLater, back_off_seconds
from streams.transport.asking import ask

__all__ = ["BoundedAttempt"]


class BoundedAttempt:
    """The attempts of one channel, called `name`; each may take `timeout_seconds`."""

    def __init__(self, name: str, timeout_seconds: float) -> None:
        self._name, self._timeout_seconds = name, timeout_seconds
        self._task: asyncio.Task[Delivery] | None = None
        self._notification = ""

    async def of(self, notification: Notification, call: Callable[[], Delivery]) -> Delivery:
        """Returns or raises what the call does."""
        if self._task is not None:
            if not self._task.done():
                return RetryLater(back_off_seconds(notification), "an earlier attempt has not ended")
            if self._notification == notification.id and _ended_well(self._task):
                self._task = None
                return Delivered()
        self._task = asyncio.ensure_future(ask(call, self._name))
        self._notification = notification.id
        await asyncio.wait({self._task}, timeout=self._timeout_seconds)
        if not self._task.done():
            return RetryLater(back_off_seconds(notification), f"no answer in {self._timeout_seconds:g} s")
        task, self._task = self._task, None
        return task.result()

    def leave(self) -> None:
        """An attempt that hangs is left to itself."""
        if self._task is not None:
            self._task.cancel()


def _ended_well(task: asyncio.Task[Delivery]) -> bool:
    return not task.cancelled() and task.exception() is None and isinstance(task.result(), Delivered)
