"""A brief as an e-mail: text, HTML and the picture of the surge in one message, and the page of a day. Pure.

    multipart/alternative ─┬─ text/plain
                           └─ multipart/related ─┬─ text/html ── <img src="cid:…">
                                                 └─ image/png
    with a page: multipart/mixed of the above and text/html as an attachment

The message's id is that of the notification, the same in every attempt; all messages of an alert are one thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, Template, select_autoescape

from alerts.delivery.brief import Brief
from alerts.wording import LANGUAGE

__all__ = ["Attached", "Letter", "mail_of"]

_TEMPLATE: Final = "mail.html.jinja"
_COLOURS: Final = {"critical": "#dc2626", "warning": "#d97706", "info": "#2563eb"}
_OVER: Final = "#059669"
_POLICY: Final = SMTP.clone(max_line_length=998, utf8=False, cte_type="7bit")
"""Every server takes it, as it is: folded shorter, a subject may begin with a line break."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A page that comes with a message, as a file."""

    name: str
    html: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What a message says. `html` is None for text alone; `picture` is a PNG, shown where `html` names `Letter.cid`."""

    subject: str
    text: str
    html: str | None = None
    picture: bytes | None = None
    page: Attached | None = None


def cid_of(brief: Brief) -> str:
    """The name of the picture within the message."""
    return f"surge-{_name(brief.id)}"


def html_of(brief: Brief, *, language: str = LANGUAGE, picture: bool = False) -> str:
    """Returns the HTML of a brief. What comes from the news is text in it, never markup."""
    return _template().render(
        language=language,
        subject=brief.subject,
        summary=brief.summary,
        text=brief.text,
        links=brief.links,
        labels=brief.labels,
        colour=_OVER if brief.is_over else _COLOURS.get(brief.severity, _COLOURS["warning"]),
        picture=cid_of(brief) if picture else "",
    )


def mail_of(
    brief: Brief, letter: Letter, *, notification: str, sender: str, to: Sequence[str], domain: str, now_ms: int
) -> EmailMessage:
    """Returns the message. Raises `ValueError` for an address that holds a line break or is none."""
    mail = EmailMessage(policy=_POLICY)
    mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(to), letter.subject
    mail["Date"] = datetime.fromtimestamp(now_ms // 1000, UTC)
    mail["Message-ID"] = f"<{_name(notification)}@{domain}>"
    mail["References"] = f"<{_name(brief.id)}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Moodwire-Id"] = brief.id
    mail.set_content(letter.text)
    if letter.html is not None:
        mail.add_alternative(letter.html, subtype="html")
        if letter.picture is not None:
            parts = mail.get_payload()
            assert isinstance(parts, list)
            html = parts[1]
            assert isinstance(html, EmailMessage)
            html.add_related(letter.picture, "image", "png", cid=f"<{cid_of(brief)}>", filename="surge.png")
    if letter.page is not None:
        mail.add_attachment(letter.page.html, subtype="html", filename=letter.page.name)
    return mail


def _name(identity: str) -> str:
    """An id as it may be written in a header, whatever it holds."""
    plain = identity.isascii() and all(char.isalnum() or char in "._-" for char in identity)
    return identity if plain and len(identity) <= 100 else hashlib.sha256(identity.encode()).hexdigest()[:32]


@lru_cache
def _template() -> Template:
    folder = Path(__file__).parent
    environment = Environment(loader=FileSystemLoader(folder), autoescape=select_autoescape(default=True))
    return environment.get_template(_TEMPLATE)
