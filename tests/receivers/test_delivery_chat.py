"""Chats by apprise, against servers on loopback: what is posted, what is refused, and what hangs."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import suppress

import msgspec
import pytest

from alerts.delivery import Delivered, Delivery, Notification, RetryLater
from alerts.errors import DeliveryError
from alerts.records import TopItem
from streams.observe.logs import set_up_logs
from streams.receivers.attempt import BoundedAttempt
from streams.receivers.chat import SCHEMES, AppriseChannel
from tests.alerts.delivery_event import NOW_MS, delivery_event
from tests.webhook_receiver import WebhookReceiver, receiving

ITEM = TopItem("i1", NOW_MS, 0.9, "@everyone <!channel> Bank *halts* withdrawals", "wire", "https://news.example/a")
EVENT = msgspec.structs.replace(delivery_event("a1"), top_items=(ITEM,))


def _addresses(server: WebhookReceiver) -> dict[str, str]:
    host = f"127.0.0.1:{server.server_address[1]}"
    return {"ntfy": f"ntfy://{host}/s3cret-t0pic", "mmost": f"mmost://{host}/s3cret-t0ken"}


@pytest.mark.parametrize("service", ["ntfy", "mmost"])
async def test_a_message_has_subject_text_and_headlines_and_calls_nobody(service: str) -> None:
    with receiving(200) as server:
        channel = AppriseChannel(_addresses(server)[service])
        assert await channel.notify(Notification(EVENT), NOW_MS) == Delivered()
        await channel.aclose()
    (post,) = server.posts
    text = json.dumps(json.loads(post.body), ensure_ascii=False)
    assert "WARNING: entity/a, 3 negative" in text
    assert "withdrawals" in text
    assert "@everyone" not in text


@pytest.mark.parametrize(("status", "down"), [(429, True), (500, True), (302, True), (400, False)])
async def test_what_is_refused_is_tried_again_with_the_problem_and_without_the_address(status: int, down: bool) -> None:
    with receiving(status) as server:
        for address in _addresses(server).values():
            channel = AppriseChannel(address)
            answer = await channel.notify(Notification(EVENT), NOW_MS)
            await channel.aclose()
            assert isinstance(answer, RetryLater)
            assert str(status) in answer.problem
            assert answer.down is down
            assert "s3cret" not in answer.problem + repr(channel) + channel.endpoint
        assert len(server.posts) == 2  # no redirect was followed


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that is logged, from the lowest level up, through the program's own chain."""
    root, out = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    set_up_logs(out, {"MOODWIRE_LOG_LEVEL": "DEBUG"})
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_address_is_not_logged_while_it_is_read(scheme: str, logged: io.StringIO) -> None:
    for address in (
        f"{scheme}://S3CRETpw",
        f"{scheme}://S3CRETpw/x",
        f"{scheme}://S3CRETpw:S3CRETpw@S3CRETpw/:/S3CRETpw?x",
    ):
        with suppress(DeliveryError):  # some services take it
            AppriseChannel(address)
    assert "s3cretpw" not in logged.getvalue().lower()


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_an_address_is_not_logged_while_something_is_sent(status: int, logged: io.StringIO) -> None:
    with receiving(status) as server:
        for address in _addresses(server).values():
            channel = AppriseChannel(address)
            await channel.notify(Notification(EVENT), NOW_MS)
            await channel.aclose()
        assert server.posts
    assert "HTTP/1.1" in logged.getvalue(), "what the client under apprise logs, without the path"
    assert "s3cret" not in logged.getvalue()


def test_apprise_knows_every_service_of_the_list() -> None:
    from apprise import Apprise

    services = Apprise().details()["schemas"]
    known = {name for one in services for name in (*(one["protocols"] or ()), *(one["secure_protocols"] or ()))}
    assert known >= set(SCHEMES)


async def test_a_call_that_hangs_is_left_alone_and_its_late_success_is_not_repeated() -> None:
    release, ended = threading.Event(), threading.Event()
    calls: list[str] = []

    def hangs() -> Delivery:
        calls.append("hangs")
        release.wait(60)
        ended.set()
        return Delivered()

    attempts = BoundedAttempt("test", 0.05)
    first = await attempts.of(Notification(EVENT), hangs)
    assert isinstance(first, RetryLater)
    other = await attempts.of(Notification(delivery_event("a2")), hangs)
    assert isinstance(other, RetryLater)
    assert "an earlier attempt has not ended" in other.problem
    release.set()
    await asyncio.to_thread(ended.wait, 60)
    answer: Delivery = other
    async with asyncio.timeout(60):
        while isinstance(answer, RetryLater):
            answer = await attempts.of(Notification(EVENT, 2), hangs)
            await asyncio.sleep(0)
    assert calls == ["hangs"]


async def test_a_call_that_fails_late_is_made_again() -> None:
    attempts = BoundedAttempt("test", 60)
    with pytest.raises(RuntimeError, match="odd"):
        await attempts.of(Notification(EVENT), _odd)
    assert await attempts.of(Notification(EVENT, 2), Delivered) == Delivered()


def _odd() -> Delivery:
    raise RuntimeError("odd")
