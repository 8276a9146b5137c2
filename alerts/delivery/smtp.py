"""Alerts by e-mail, with text, HTML and a picture of the surge.

accepted               delivered
refused for some       5xx: never again for these; 4xx: again for these alone, and hold up nothing else
                       once nobody is left: give up if some never had it, and name them
no login, no server    try again: the server is down or its settings are wrong
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Final, Literal

import aiosmtplib

from alerts.delivery.brief import Brief, Words
from alerts.delivery.channel import (
    Delivered,
    Delivery,
    GiveUp,
    Notification,
    RetryLater,
    Told,
    back_off_seconds,
    fingerprint,
)
from alerts.delivery.group import AlertGroup
from alerts.delivery.mail import Attached, Letter, html_of, mail_of
from alerts.delivery.picture import History, surge_png
from alerts.delivery.rendering import one_line
from alerts.errors import DeliveryError

__all__ = ["Briefing", "EmailChannel", "Security", "SmtpServer", "is_address"]

_PICTURE_SECONDS: Final = 10.0
"""The archive may be away: a message goes without its picture then."""
_PAGE_SECONDS: Final = 60.0
"""A page of a day with its pictures takes some seconds."""
_PERMANENT: Final = 500

Security = Literal["starttls", "tls", "none"]
Briefing = Callable[[int], Awaitable[Attached]]
"""Makes the page of the day that ends at a time (ms)."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in. `ca` is a PEM file of authorities beside the system's.

    Raises `DeliveryError` for a login that would be sent in the clear.
    """

    host: str
    port: int = 587
    security: Security = "starttls"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.user is not None and self.security == "none":
            raise DeliveryError("security: a login needs starttls or tls; leave user and password out, or turn TLS on")


class EmailChannel:
    """Sends each event to the addresses of `to` in one message, or to the subscriber that it is for.

    `history` draws the picture, `briefing` makes the page that comes with the digest of a day; without, there is none.
    Raises `DeliveryError` for addresses that cannot work.
    """

    def __init__(
        self,
        server: SmtpServer,
        sender: str,
        to: Sequence[str],
        *,
        name: str = "email",
        words: Words | None = None,
        history: History | None = None,
    ) -> None:
        wrong = [] if is_address(sender, with_name=True) else [sender]
        wrong += [address for address in to if not is_address(address)]
        if wrong:
            raise DeliveryError(f"{wrong[0]!r} is no e-mail address; write one such as desk@example.org")
        self.name = name
        self.history = history
        self.briefing: Briefing | None = None
        self._server, self._sender, self._to = server, sender, tuple(to)
        self._words = words or Words()

    def __repr__(self) -> str:
        return f"EmailChannel({self._server.host!r}, {len(self._to)} addresses)"

    @property
    def endpoint(self) -> str:
        server = self._server
        login = (server.user or "", server.password or "")
        return fingerprint(server.host, str(server.port), server.security, *login, self._sender, *self._to)

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        """Hands the message in once."""
        event = notification.event
        to = (event.address,) if isinstance(event, AlertGroup) and event.address else self._to
        if not all(map(is_address, to)):
            return GiveUp(f"{to[0]!r} is no e-mail address")
        left = notification.told.left(to)
        if not left:  # the rest of the addresses was taken out of the settings
            return _settled(notification.told)
        brief = await self._words.brief(event)
        letter = await self._with_page(event, await self._letter(brief))
        mail = mail_of(
            brief,
            letter,
            notification=f"{notification.id}.{self.name}",
            sender=self._sender,
            to=to,
            domain=parseaddr(self._sender)[1].rpartition("@")[2],
            now_ms=now_ms,
        )
        seconds = self._server.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                refused = await self._send(mail, left)
        except TimeoutError:  # aiosmtplib's own is one too
            return RetryLater(back_off_seconds(notification), f"no answer in {seconds:g} s")
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = {one.recipient: aiosmtplib.SMTPResponse(one.code, one.message) for one in error.recipients}
        except (aiosmtplib.SMTPException, OSError) as error:
            return _failed(error, notification, self._server)
        return _answered(left, refused, notification)

    async def aclose(self) -> None:
        """Nothing else is held open between messages."""
        await self._words.aclose()

    async def _send(self, mail: EmailMessage, to: Sequence[str]) -> dict[str, aiosmtplib.SMTPResponse]:
        """Returns the addresses that were refused while others were not."""
        server = self._server
        refused, _ = await aiosmtplib.send(
            mail.as_bytes(),
            sender=parseaddr(self._sender)[1],
            recipients=to,
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=None if server.security == "none" else ssl.create_default_context(cafile=server.ca),
            timeout=server.timeout_seconds,
        )
        return refused

    async def _letter(self, brief: Brief) -> Letter:
        picture = await self._picture(brief)
        html = html_of(brief, picture=picture is not None) if brief.html is None else brief.html
        return Letter(brief.subject, brief.text, html, picture)

    async def _with_page(self, event: object, letter: Letter) -> Letter:
        """A digest of a day comes with the page of that day; where it cannot be made the text says so."""
        if self.briefing is None or not (isinstance(event, AlertGroup) and event.digest == "day"):
            return letter
        try:
            async with asyncio.timeout(_PAGE_SECONDS):
                return replace(letter, page=await self.briefing(event.at_ms))
        except Exception as error:  # the boundary to an archive of any kind: no digest waits for its page
            problem = one_line(str(error)) or type(error).__name__
            return replace(letter, text=f"{letter.text}\n\n(The brief of the day could not be made: {problem})")

    async def _picture(self, brief: Brief) -> bytes | None:
        """That of the worst alert; None where its counts cannot be had."""
        if self.history is None or not brief.alerts:
            return None
        try:
            async with asyncio.timeout(_PICTURE_SECONDS):
                bars = await self.history(brief.alerts[0])
                return await asyncio.to_thread(surge_png, brief.alerts[0], bars) if bars else None
        except Exception:  # the boundary to an archive of any kind: no alert waits for its picture
            return None


def _answered(
    asked: Sequence[str], refused: Mapping[str, aiosmtplib.SMTPResponse], notification: Notification
) -> Delivery:
    """What came of an attempt at these addresses, of which some were refused."""
    texts = {address: f"{answer.code} {one_line(answer.message)}" for address, answer in refused.items()}
    later = [address for address, answer in refused.items() if answer.code < _PERMANENT]
    before = notification.told
    told = Told(
        (*before.had, *(address for address in asked if address not in refused)),
        (*before.refused, *((address, text) for address, text in texts.items() if address not in later)),
    )
    if not later:
        return _settled(told)
    problem = _problem(told, [*told.refused, *((address, texts[address]) for address in later)])
    return RetryLater(back_off_seconds(notification), problem, down=False, told=told)


def _settled(told: Told) -> Delivery:
    """The answer once no address is left to try."""
    return GiveUp(_problem(told, told.refused), told) if told.refused else Delivered()


def _problem(told: Told, refused: Iterable[tuple[str, str]]) -> str:
    texts = "; ".join(f"{address}: {text}" for address, text in refused)
    return f"{'delivered to the others, ' if told.had else ''}refused for {texts}"


def _failed(error: Exception, notification: Notification, server: SmtpServer) -> Delivery:
    if isinstance(error, aiosmtplib.SMTPDataError):
        problem = f"refused: {error.code} {one_line(error.message)}"
        if error.code >= _PERMANENT:
            return GiveUp(problem)
        return RetryLater(back_off_seconds(notification), problem, down=False)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return RetryLater(back_off_seconds(notification), f"answered {error.code} {one_line(error.message)}")
    return RetryLater(back_off_seconds(notification), f"no connection: {type(error).__name__}{_hint(error, server)}")


def _hint(error: Exception, server: SmtpServer) -> str:
    """What to change, where the kind of encryption is why nothing was sent."""
    text = str(error)
    if server.security == "starttls" and "STARTTLS" in text:
        return ": the server has no STARTTLS; set `security: tls` (port 465), or `none` for a server that needs none"
    return ""


def is_address(text: str, *, with_name: bool = False) -> bool:
    """Whether it is an e-mail address, with a name before it if that may be: `moodwire <moodwire@example.org>`."""
    address = parseaddr(text)[1] if with_name else text
    local, _, domain = address.rpartition("@")
    return bool(local and domain) and text.isprintable() and not set(address) & set(" ,;<>")
