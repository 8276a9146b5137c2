"""Chats and push services by apprise: Slack, Teams, Telegram and others, each by one address.

apprise has an HTTP client of its own, which blocks, and answers only yes or no. So it runs in a thread with a deadline,
follows no redirect. What it logs holds the address, when it reads one too: its lines stay out of the log, and the last
of an attempt is, masked, the problem that is reported. Only schemes of `SCHEMES` are taken: others write
files, run programs or post anywhere, or have a channel of their own here.
"""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from alerts.delivery import Delivered, Delivery, Notification, RetryLater, back_off_seconds
from alerts.delivery.brief import Brief, Words
from alerts.delivery.channel import fingerprint
from alerts.errors import DeliveryError
from streams.logs import keep_from_log, overheard
from streams.receivers.attempt import BoundedAttempt

if TYPE_CHECKING:
    from apprise import NotifyBase

__all__ = ["SCHEMES", "AppriseChannel"]

SCHEMES: Final = (
    "discord", "gchat", "gotify", "gotifys", "ilert", "matrix", "matrixs", "mmost", "mmosts", "ntfy", "ntfys",
    "opsgenie", "pagertree", "pbul", "pover", "rocket", "rockets", "slack", "spike", "splunk", "squadcast", "tgram",
    "twilio", "victorops", "workflow", "workflows", "wxteams", "zulip",
)  # fmt: skip
"""Teams is `workflows`, Telegram `tgram`, Mattermost `mmost`, Webex `wxteams`."""

_LONGEST_PROBLEM: Final = 200
_THIS_ONE: Final = re.compile(r"error=4(00|09|13|15|22)\b")
"""Refusals of one message, as in `alerts.delivery.http_post`."""
_SHORTEST_SECRET: Final = 5
_LOGGER: Final = "apprise"


class AppriseChannel:
    """Sends the text of each event to the service at `url`. Raises `DeliveryError` for one that cannot work.

    The address is never shown.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "apprise",
        timeout_seconds: float = 30.0,
        words: Words | None = None,
    ) -> None:
        self.name = name
        self._url = url
        self._service = _service(url, timeout_seconds)
        self._attempts = BoundedAttempt(f"notify {name}", timeout_seconds)
        self._words = words or Words()

    def __repr__(self) -> str:
        return f"AppriseChannel({_scheme(self._url)!r})"

    @property
    def endpoint(self) -> str:
        return fingerprint(self._url)

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:  # noqa: ARG002
        """Sends once; `now_ms` is not needed here."""
        brief = await self._words.brief(notification.event)
        return await self._attempts.of(notification, lambda: self._send(brief, notification))

    async def aclose(self) -> None:
        self._attempts.leave()
        await self._words.aclose()

    def _send(self, brief: Brief, notification: Notification) -> Delivery:
        heard = _Heard()
        with overheard(_LOGGER, heard):
            taken = self._service.notify(
                title=_without_mentions(brief.subject),
                body=_without_mentions(brief.text),
                notify_type=_kind(brief),
                body_format="text",
            )
        if taken:
            return Delivered()
        problem = _masked(heard.problem, self._url)[:_LONGEST_PROBLEM] or "the service took nothing"
        return RetryLater(back_off_seconds(notification), problem, down=not _THIS_ONE.search(problem))


class _Heard(logging.Handler):
    """Warnings that apprise logs in this thread: it says no more about what went wrong."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.problem = ""
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.problem = record.getMessage().split("\n")[0]


def _kind(brief: Brief) -> str:
    if brief.is_over:
        return "success"
    return {"critical": "failure", "warning": "warning"}.get(brief.severity, "info")


def _without_mentions(text: str) -> str:
    """Names that a chat would call, such as @everyone in a headline, call nobody."""
    return text.replace("@", "@\u200b")


def _masked(problem: str, url: str) -> str:
    """The problem without the parts of the address."""
    written = re.split(r"[/@:?&=]+", url.partition("://")[2])
    parts = {form for part in written for form in (part, unquote(part))}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST_SECRET:
            problem = problem.replace(part, "***")
    return problem


def _scheme(url: str) -> str:
    return url.partition("://")[0].strip().lower()


def _service(url: str, timeout_seconds: float) -> NotifyBase:
    if _scheme(url) not in SCHEMES:
        raise DeliveryError(f"the address must begin with one of {', '.join(SCHEMES)}, then ://")
    keep_from_log(_LOGGER)
    from apprise import Apprise, AppriseAsset, OverflowMode  # half a second of start-up that only this channel needs

    asset = AppriseAsset(
        app_id="moodwire", app_desc="moodwire", http_redirects=False, secure_logging=True, async_mode=False,
        service_timeout=timeout_seconds,
    )  # fmt: skip
    service = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        raise DeliveryError(f"the address is no {_scheme(url)}:// address; see apprise's page on that service")
    if "overflow=" not in url:
        service.overflow_mode = OverflowMode.TRUNCATE  # a long text is cut, not refused
    return service
