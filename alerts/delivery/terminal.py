"""Alerts on a terminal: framed and coloured on a screen, plain lines in a pipe or a log."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Final

from rich.console import Console

from alerts.delivery.aside import Aside, write_all
from alerts.delivery.channel import Delivered, Delivery, Notification, RetryLater, back_off_seconds
from alerts.delivery.group import AlertGroup
from alerts.delivery.group_text import render_group
from alerts.delivery.notice import Notice
from alerts.delivery.rendering import render_notice, render_plain, render_rich
from alerts.wording import Wording

__all__ = ["TerminalChannel"]

_DEADLINE_SECONDS: Final = 4.0
"""Shorter than the time that a process gives its stages at SIGTERM."""


class TerminalChannel:
    """Prints each event on `console` (stdout unless given) in the words of `wording`.

    `label` turns a series into a name for people. An attempt takes `deadline_seconds` at most.
    """

    def __init__(
        self,
        console: Console | None = None,
        label: Callable[[str], str] = str,
        wording: Wording | None = None,
        deadline_seconds: float = _DEADLINE_SECONDS,
    ) -> None:
        self._console = console or Console()
        self._label = label
        self._wording = wording or Wording.of()
        self._deadline_seconds = deadline_seconds
        self._aside = Aside("terminal")
        self._printed: set[str] = set()

    @property
    def name(self) -> str:
        return "terminal"

    @property
    def endpoint(self) -> str:
        return ""

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:  # noqa: ARG002
        """Returns `RetryLater` for a terminal that is gone or does not read; `now_ms` is not needed here.

        What was still being printed at its deadline, and came through later, is not printed again.
        """
        try:
            await self._aside.call(lambda: self._print(notification), self._deadline_seconds)
        except TimeoutError:
            return self._later(notification, f"it took nothing for {self._deadline_seconds:g} s")
        except OSError as error:
            return self._later(notification, error.strerror or str(error))
        self._printed.discard(notification.id)
        return Delivered()

    def _later(self, notification: Notification, problem: str) -> RetryLater:
        return RetryLater(back_off_seconds(notification), f"cannot write to the terminal: {problem}")

    async def aclose(self) -> None:
        """The console belongs to the caller."""

    def _print(self, notification: Notification) -> None:
        if notification.id in self._printed:
            return
        try:
            write_all(self._console.file, self._rendered(notification))
        except SystemExit:  # rich ends the program where its reader is gone
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None
        self._printed.add(notification.id)

    def _rendered(self, notification: Notification) -> str:
        """Returns the text as the console prints it, below it the bar that the console may show."""
        event = notification.event
        with self._console.capture() as captured:
            if isinstance(event, Notice):
                self._console.out(render_notice(event, self._wording), highlight=False)
            elif isinstance(event, AlertGroup):
                self._console.out(render_group(event, label=self._label, wording=self._wording), highlight=False)
            elif self._console.is_terminal:
                self._console.print(render_rich(event, label=self._label, wording=self._wording))
            else:
                self._console.out(render_plain(event, label=self._label, wording=self._wording), highlight=False)
        return captured.get()
