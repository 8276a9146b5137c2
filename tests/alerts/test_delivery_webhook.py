"""The webhook against a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

import msgspec
import pytest
from cloudevents.v1.http import from_http
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from alerts import AlertEvent, DeliveryError
from alerts.delivery import (
    AlertGroup,
    Delivered,
    GiveUp,
    GroupChange,
    Notice,
    Notification,
    RetryLater,
    WebhookChannel,
    back_off_seconds,
)
from streams.net.client import open_client
from tests.alerts.delivery_event import NOW_MS, delivery_event
from tests.integration.ports import free_port

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()

EVENT = delivery_event("ab" * 16, revision=2)
GROUP = AlertGroup(
    id="g1", revision=1, receiver="desk", labels={"kind": "entity"}, alerts=(EVENT, delivery_event("a2")),
    change=GroupChange.OPENED, severity="warning", opened_ms=NOW_MS, at_ms=NOW_MS, firing=2, resolved=0,
)  # fmt: skip
NOTICE = Notice(
    id="n1", revision=1, change="opened", reason="archive", subject="", detail="away", instance="one",
    since_ms=NOW_MS, updated_ms=NOW_MS,
)  # fmt: skip


@dataclass
class Receiver:
    """A little HTTP/1.1 server: keeps what it got, answers what it is told to, or says nothing at all."""

    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    silent: bool = False
    port: int = 0
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((headers | {"request": head[0]}, body))
        if self.silent:
            await reader.read()  # until the other side hangs up
        else:
            writer.write(self.answer)
            await writer.drain()
        writer.close()

    def says(self, status: str, *headers: str) -> None:
        self.answer = "\r\n".join([f"HTTP/1.1 {status}", "content-length: 0", *headers, "", ""]).encode()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    got = Receiver()
    server = await asyncio.start_server(got.serve, "127.0.0.1", 0)
    got.port = server.sockets[0].getsockname()[1]
    async with server:
        yield got


@pytest.fixture
async def channel(receiver: Receiver) -> AsyncIterator[WebhookChannel]:
    made = WebhookChannel(f"http://127.0.0.1:{receiver.port}/hook/t0ken?key=s3cret", SECRET, timeout_seconds=5)
    yield made
    await made.aclose()


async def test_a_post_is_signed_as_standard_webhooks_asks(receiver: Receiver, channel: WebhookChannel) -> None:
    assert await channel.notify(Notification(EVENT), NOW_MS) == Delivered()
    headers, body = receiver.requests[0]
    assert headers["request"] == "POST /hook/t0ken?key=s3cret HTTP/1.1"
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == EVENT.id + ".2"
    assert headers["webhook-timestamp"] == str(NOW_MS // 1000)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    payload = json.loads(body)
    assert (payload["type"], payload["timestamp"]) == ("alert.opened", "2023-11-14T22:13:20.000Z")
    assert AlertEvent.from_json(json.dumps(payload["data"]).encode()) == EVENT


async def test_every_attempt_carries_the_same_id(receiver: Receiver, channel: WebhookChannel) -> None:
    for attempt in (1, 2):
        await channel.notify(Notification(EVENT, attempt), NOW_MS + attempt * 60_000)
    first, second = (headers for headers, _ in receiver.requests)
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-timestamp"] != second["webhook-timestamp"]


async def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    channel = WebhookChannel(f"http://127.0.0.1:{receiver.port}/")
    assert await channel.notify(Notification(EVENT), NOW_MS) == Delivered()
    assert "webhook-signature" not in receiver.requests[0][0]
    await channel.aclose()


@pytest.mark.parametrize(
    ("status", "headers", "attempt", "expected"),
    [
        ("200 OK", (), 1, Delivered()),
        ("410 Gone", (), 1, GiveUp("410: the receiver wants no more")),
        ("429 Too Many Requests", ("retry-after: 17",), 1, RetryLater(17.0, "answered 429")),
        ("503 Service Unavailable", ("retry-after: 3",), 1, RetryLater(3.0, "answered 503")),
        ("429 Too Many Requests", ("retry-after: 99999999999",), 1, RetryLater(86_400.0, "answered 429")),
        ("301 Moved Permanently", ("location: http://elsewhere.example/",), 1, RetryLater),
        ("500 Internal Server Error", (), 30, RetryLater),
        ("404 Not Found", (), 1, RetryLater),
        ("404 Not Found", (), 5_000, RetryLater),
        ("413 Content Too Large", ("retry-after: 7",), 1, RetryLater(7.0, "answered 413", down=False)),
        ("429 Too Many Requests", (), 30, RetryLater),
        ("429 Too Many Requests", ("retry-after: soon",), 1, RetryLater),
    ],
)
async def test_answers_say_what_to_do(
    receiver: Receiver,
    channel: WebhookChannel,
    status: str,
    headers: tuple[str, ...],
    attempt: int,
    expected: object,
) -> None:
    receiver.says(status, *headers)
    answer = await channel.notify(Notification(EVENT, attempt), NOW_MS)
    if isinstance(expected, type):
        assert isinstance(answer, expected)
    else:
        assert answer == expected
    assert len(receiver.requests) == 1


async def test_retry_after_may_be_a_date(receiver: Receiver, channel: WebhookChannel) -> None:
    at = datetime.fromtimestamp(NOW_MS / 1000 + 90, UTC)
    receiver.says("429 Too Many Requests", f"retry-after: {format_datetime(at, usegmt=True)}")
    answer = await channel.notify(Notification(EVENT), NOW_MS)
    assert answer == RetryLater(90.0, "answered 429")


async def test_a_receiver_that_says_nothing_is_tried_again(receiver: Receiver) -> None:
    receiver.silent = True
    channel = WebhookChannel(f"http://127.0.0.1:{receiver.port}/", timeout_seconds=0.2)
    answer = await channel.notify(Notification(EVENT), NOW_MS)
    assert isinstance(answer, RetryLater)
    assert "0.2 s" in answer.problem
    await channel.aclose()


async def test_a_receiver_that_is_away_is_tried_again(receiver: Receiver) -> None:
    channel = WebhookChannel(f"http://127.0.0.1:{free_port()}/")
    answer = await channel.notify(Notification(EVENT), NOW_MS)
    assert isinstance(answer, RetryLater)
    assert "connection" in answer.problem
    await channel.aclose()


async def test_a_receiver_that_resets_the_connection_is_tried_again(receiver: Receiver) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with await asyncio.start_server(reset, "127.0.0.1", 0) as server:
        channel = WebhookChannel(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        answer = await channel.notify(Notification(EVENT), NOW_MS)
        await channel.aclose()
    assert isinstance(answer, RetryLater)
    assert answer.problem.startswith("no connection: ")


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", Delivered), ("HTTP/1.1 200 OK\r\nx: ", RetryLater)],
    ids=["a slow body is not awaited", "slow headers are, for as long as a post may take"],
)
async def test_an_answer_that_never_ends_holds_nothing_up(beginning: str, expected: type) -> None:
    ended = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(beginning.encode())
        heard = b"-"
        while heard:  # until the other side hangs up
            try:
                heard = await asyncio.wait_for(reader.read(65_536), 0.02)
            except TimeoutError:
                writer.write(b"x")
            except ConnectionError:
                break
        writer.close()
        ended.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        channel = WebhookChannel(url, timeout_seconds=0.5)
        assert isinstance(await channel.notify(Notification(EVENT), NOW_MS), expected)
        await channel.aclose()
        await asyncio.wait_for(ended.wait(), 60)


async def test_the_library_of_standard_webhooks_accepts_the_signature(receiver: Receiver) -> None:
    channels = [
        WebhookChannel(f"http://127.0.0.1:{receiver.port}/", SECRET, body_format=form)
        for form in ("standard", "cloudevents")
    ]
    for channel in channels:
        assert await channel.notify(Notification(GROUP), int(time.time() * 1000)) == Delivered()
        await channel.aclose()
    library = Webhook(SECRET)
    for headers, body in receiver.requests:
        assert library.verify(body, headers)["data"]["id"] == GROUP.id
        with pytest.raises(WebhookVerificationError):
            library.verify(body.replace(b"g1", b"g2"), headers)


@pytest.mark.parametrize(
    ("event", "kind"),
    [(EVENT, "moodwire.alert.opened"), (GROUP, "moodwire.group.opened"), (NOTICE, "moodwire.notice.opened")],
)
async def test_the_library_of_cloudevents_reads_a_cloudevent(
    receiver: Receiver, event: AlertEvent | AlertGroup | Notice, kind: str
) -> None:
    url = f"http://127.0.0.1:{receiver.port}/"
    channel = WebhookChannel(url, body_format="cloudevents", source="//moodwire.example/live")
    assert await channel.notify(Notification(event), NOW_MS) == Delivered()
    await channel.aclose()
    headers, body = receiver.requests[0]
    assert headers["content-type"] == "application/cloudevents+json"
    found = from_http(headers, body)
    assert (found["id"], found["type"], found["subject"]) == (Notification(event).id, kind, event.id)
    assert (found["source"], found["time"]) == ("//moodwire.example/live", "2023-11-14T22:13:20.000Z")
    assert found.data == json.loads(msgspec.json.encode(event))


async def test_an_answer_that_is_no_http_is_tried_again(receiver: Receiver, channel: WebhookChannel) -> None:
    receiver.answer = b"220 mail.example ESMTP\r\n"
    assert isinstance(await channel.notify(Notification(EVENT), NOW_MS), RetryLater)


@pytest.mark.parametrize(
    "show", [repr, lambda channel: channel.name, lambda channel: channel.endpoint], ids=["repr", "name", "endpoint"]
)
async def test_secrets_are_never_shown(channel: WebhookChannel, show: Callable[[WebhookChannel], str]) -> None:
    assert "127.0.0.1" in repr(channel)
    assert not any(secret in show(channel) for secret in ("t0ken", "s3cret", "/hook", SECRET, "whsec"))


async def test_secrets_are_not_logged_either(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"http://127.0.0.1:{receiver.port}/hook/t0ken?key=s3cret"
    channel = WebhookChannel(url, SECRET, client=open_client([url]))
    await channel.notify(Notification(EVENT), NOW_MS)
    await channel.aclose()
    assert "POST" in caplog.text
    assert not any(secret in caplog.text for secret in ("t0ken", "s3cret", SECRET))


async def test_a_corrected_address_or_secret_is_the_same_channel_at_another_endpoint() -> None:
    given = [("https://hooks.example/a", None), ("https://hooks.example/b", None), ("https://hooks.example/b", SECRET)]
    channels = [WebhookChannel(url, secret) for url, secret in given]
    assert {made.name for made in channels} == {"webhook"}
    assert len({made.endpoint for made in channels}) == 3
    again = WebhookChannel(*given[0])
    assert again.endpoint == channels[0].endpoint
    for made in (*channels, again):
        await made.aclose()


@pytest.mark.parametrize(
    "secret",
    ["", "hunter2", "whsec_", "whsec_short", "whsec_***", base64.b64encode(KEY).decode(), "whsec_" + "A" * 400],
)
def test_a_bad_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(DeliveryError, match="whsec_") as caught:
        WebhookChannel("https://hooks.example/", secret)
    assert not secret or secret == "whsec_" or secret not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "hooks.example", "ftp://hooks.example/", "https://:8443/x", "http://[::1", "http://a:99999/"]
)
def test_a_bad_address_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        WebhookChannel(url)
    assert not url or url not in str(caught.value)


def test_the_back_off_doubles_up_to_an_hour_and_is_spread() -> None:
    waits = [back_off_seconds(Notification(EVENT, attempt)) for attempt in range(1, 15)]
    for attempt, wait in enumerate(waits):
        base = min(5.0 * 2**attempt, 3600.0)
        assert base <= wait <= base * 1.2
    assert back_off_seconds(Notification(EVENT, 3)) == waits[2]
