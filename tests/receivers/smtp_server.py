"""A real SMTP server on loopback (aiosmtpd): it keeps what it accepts, and refuses what it is asked to refuse."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

__all__ = ["MailServer", "running_mail_server"]


@dataclass
class MailServer:
    """`refusals` are answers by address, `at_data` the answer to every message; `login` is who may hand in."""

    port: int = 0
    refusals: dict[str, str] = field(default_factory=dict)
    at_data: str = "250 OK"
    login: tuple[str, str] | None = None
    envelopes: list[Envelope] = field(default_factory=list)

    @property
    def mails(self) -> list[EmailMessage]:
        return [_parsed(envelope) for envelope in self.envelopes]

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.at_data.startswith("250"):
            self.envelopes.append(envelope)
        return self.at_data

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, how: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        assert self.login is not None
        found = (data.login.decode(), data.password.decode())
        return AuthResult(success=found == self.login, handled=False)


@asynccontextmanager
async def running_mail_server(
    tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None
) -> AsyncIterator[MailServer]:
    """With `tls` it insists on STARTTLS, and with `login` on that too."""
    mail = MailServer(login=login)

    def connection() -> SMTP:
        return SMTP(
            mail, hostname="mail.example", tls_context=tls, require_starttls=tls is not None,
            auth_required=login is not None, authenticator=mail.authenticate if login else None,
        )  # fmt: skip

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    mail.port = server.sockets[0].getsockname()[1]
    async with server:
        yield mail


def _parsed(envelope: Envelope) -> EmailMessage:
    assert isinstance(envelope.content, bytes)
    return message_from_bytes(envelope.content, _class=EmailMessage, policy=default)
