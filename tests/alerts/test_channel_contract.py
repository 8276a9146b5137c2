"""What every channel keeps to, so that another one is a class, its settings, and a maker of it here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path

import httpx
import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from rich.console import Console

from alerts.delivery import (
    AlertmanagerChannel,
    AtomChannel,
    Channel,
    Delivered,
    EmailChannel,
    FileChannel,
    Notice,
    Notification,
    PagerDutyChannel,
    RetryLater,
    TerminalChannel,
    WebhookChannel,
)
from alerts.delivery.smtp import SmtpServer
from streams.receivers.chat import AppriseChannel
from streams.receivers.topic import TopicChannel
from streams.transport.broker import open_broker
from tests.alerts.delivery_event import NOW_MS, delivery_event
from tests.integration.ports import free_port
from tests.stages.deliver_harness import FakeReceiver, down
from tests.webhook_receiver import receiving

SERVERS = ExitStack()
"""Those that the makers of channels have started. An interpreter that ends waits for their threads first, and calls
what is registered at its exit only then."""

SECRET = "s3cret-t0ken"  # stands for a part of an address that nobody may see
EVENT = delivery_event("a1")
NOTICE = Notice(
    id="n1", revision=1, change="opened", reason="archive", subject="", detail="away", instance="one",
    since_ms=NOW_MS, updated_ms=NOW_MS,
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _servers() -> Iterator[None]:
    with SERVERS:
        yield


@dataclass(frozen=True, slots=True)
class Made:
    """A channel that works, and one whose receiver takes nothing (None where it cannot fail)."""

    works: Callable[[Path], Channel]
    refuses: Callable[[Path], Channel] | None = None


def _terminal(folder: Path) -> Channel:
    return TerminalChannel(Console(file=StringIO(), width=200))


def _file(folder: Path) -> Channel:
    return FileChannel(folder / SECRET / "alerts.ndjson")


def _file_refused(folder: Path) -> Channel:
    (folder / "a file").write_text("in the way")
    return FileChannel(folder / "a file" / "alerts.ndjson")


def _client(status: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(status)))


def _webhook(status: int) -> Callable[[Path], Channel]:
    return lambda _: WebhookChannel(f"https://hooks.example/{SECRET}", client=_client(status))


def _alertmanager(status: int) -> Callable[[Path], Channel]:
    return lambda _: AlertmanagerChannel(f"https://am.example/{SECRET}", authorization=SECRET, client=_client(status))


@lru_cache
def _mail_port() -> int:
    """Of an SMTP server that takes everything."""
    server = Controller(Sink(), hostname="127.0.0.1", port=free_port())
    server.start()
    SERVERS.callback(server.stop)
    return int(server.port)


def _email(server: Callable[[], SmtpServer]) -> Callable[[Path], Channel]:
    return lambda _: EmailChannel(server(), "moodwire@example.org", [f"{SECRET}@example.org"])


def _pagerduty(status: int) -> Callable[[Path], Channel]:
    return lambda _: PagerDutyChannel(SECRET, url=f"https://pd.example/{SECRET}", client=_client(status))


def _atom(folder: Path) -> Channel:
    return AtomChannel(folder / SECRET / "alerts.atom")


def _atom_refused(folder: Path) -> Channel:
    (folder / "alerts.atom").write_text("<html/>")
    return AtomChannel(folder / "alerts.atom")


def _topic(folder: Path) -> Channel:
    url = f"sqlite://{folder.resolve()}/{SECRET}.db"
    return TopicChannel(lambda: open_broker(url), "alerts.out", address=url)


def _topic_refused(folder: Path) -> Channel:
    return TopicChannel(lambda: open_broker("sqlite:////dev/null/broker.db"), "alerts.out")


@lru_cache
def _chat_port(status: int) -> int:
    """Of a server that answers every post with a status."""
    return int(SERVERS.enter_context(receiving(status)).server_address[1])


def _chat(status: int) -> Callable[[Path], Channel]:
    return lambda _: AppriseChannel(f"ntfy://127.0.0.1:{_chat_port(status)}/{SECRET}")


CHANNELS = {
    "terminal": Made(_terminal),
    "file": Made(_file, _file_refused),
    "webhook": Made(_webhook(204), _webhook(503)),
    "alertmanager": Made(_alertmanager(200), _alertmanager(503)),
    "email": Made(
        _email(lambda: SmtpServer("127.0.0.1", _mail_port(), "none")),
        _email(lambda: SmtpServer("127.0.0.1", free_port(), "none")),
    ),
    "pagerduty": Made(_pagerduty(202), _pagerduty(429)),
    "atom": Made(_atom, _atom_refused),
    "kafka": Made(_topic, _topic_refused),
    "apprise": Made(_chat(200), _chat(503)),
    "fake": Made(lambda _: FakeReceiver("fake"), lambda _: FakeReceiver("fake", answer=down)),
}

channels = pytest.mark.parametrize("made", CHANNELS.values(), ids=CHANNELS)


def _run(made: Callable[[Path], Channel], folder: Path, work: Callable[[Channel], Awaitable[None]]) -> None:
    async def scene() -> None:
        channel = made(folder)
        await work(channel)
        await channel.aclose()

    asyncio.run(scene())


@channels
def test_it_takes_alerts_and_notices_and_a_repetition(made: Made, tmp_path: Path) -> None:
    escalated = msgspec.structs.replace(EVENT, revision=2, change="escalated")

    async def work(channel: Channel) -> None:
        for event in (EVENT, escalated, NOTICE, EVENT):
            assert await channel.notify(Notification(event), NOW_MS) == Delivered()

    _run(made.works, tmp_path, work)


@channels
def test_it_answers_when_its_receiver_takes_nothing_and_shows_no_secret(made: Made, tmp_path: Path) -> None:
    if made.refuses is None:
        return

    async def work(channel: Channel) -> None:
        answer = await channel.notify(Notification(EVENT, 3), NOW_MS)
        assert isinstance(answer, RetryLater)
        assert answer.after_seconds > 0
        assert answer.down
        assert answer.problem
        assert SECRET not in answer.problem

    _run(made.refuses, tmp_path, work)


@channels
def test_its_name_and_endpoint_are_the_same_after_a_restart_and_show_no_address(made: Made, tmp_path: Path) -> None:
    found: list[tuple[str, str]] = []

    async def work(channel: Channel) -> None:
        found.append((channel.name, channel.endpoint))

    for _ in range(2):
        _run(made.works, tmp_path, work)
    (name, endpoint), again = found
    assert (name, endpoint) == again
    assert name.isprintable()
    assert SECRET not in name + endpoint


def test_no_two_channels_have_one_name(tmp_path: Path) -> None:
    names = [made.works(tmp_path).name for made in CHANNELS.values()]
    assert len(set(names)) == len(names)
