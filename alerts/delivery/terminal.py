"""Alerts on a terminal: framed and coloured where somebody looks, plain lines in a pipe or a log."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from alerts.delivery.channel import Delivered, Delivery, Notification
from alerts.delivery.group import AlertGroup
from alerts.delivery.group_text import render_group
from alerts.delivery.notice import Notice
from alerts.delivery.rendering import render_notice, render_plain, render_rich
from alerts.wording import Wording

__all__ = ["TerminalChannel"]


class TerminalChannel:
    """Prints each event on `console` (stdout unless given) in the words of `wording`.

    `label` turns a series into a name for people.
    """

    def __init__(
        self, console: Console | None = None, label: Callable[[str], str] = str, wording: Wording | None = None
    ) -> None:
        self._console = console or Console()
        self._label = label
        self._wording = wording or Wording.of()

    @property
    def name(self) -> str:
        return "terminal"

    @property
    def endpoint(self) -> str:
        return ""

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:  # noqa: ARG002
        """Always `Delivered`; `now_ms` is not needed here."""
        event = notification.event
        if isinstance(event, Notice):
            self._console.out(render_notice(event, self._wording), highlight=False)
        elif isinstance(event, AlertGroup):
            text = render_group(event, label=self._label, wording=self._wording)
            self._console.out(text, highlight=False)
        elif self._console.is_terminal:
            self._console.print(render_rich(event, label=self._label, wording=self._wording))
        else:
            self._console.out(render_plain(event, label=self._label, wording=self._wording), highlight=False)
        return Delivered()

    async def aclose(self) -> None:
        """The console belongs to the caller."""
