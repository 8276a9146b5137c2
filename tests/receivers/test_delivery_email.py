"""The channel of e-mail, against a real SMTP server: what arrives, opens, is refused, or must not be sent."""

from __future__ import annotations

import io
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from alerts import AlertEvent
from alerts.delivery import AlertGroup, Delivered, EmailChannel, GiveUp, GroupChange, Notification, RetryLater, Told
from alerts.delivery.brief import brief_of
from alerts.delivery.mail import Attached
from alerts.delivery.picture import Bar, surge_png
from alerts.delivery.smtp import SmtpServer
from alerts.errors import DeliveryError
from alerts.records import TopItem
from tests.alerts.delivery_event import NOW_MS, delivery_event
from tests.certificates import self_signed
from tests.receivers.smtp_server import MailServer, running_mail_server

HOSTILE = TopItem("i1", NOW_MS, 0.9, "<script>alert(1)</script> shares\r\nBcc: x@example.org", "wire", "javascript:x()")
PLAIN = TopItem("i2", NOW_MS, 0.9, "Bank halts withdrawals", "wire", "https://news.example/a?b=1&c=2")
EVENT = msgspec.structs.replace(
    delivery_event("a1"), series="entity/Bänk\r\nBcc: x@example.org", top_items=(HOSTILE, PLAIN)
)
HOUR_MS = 3_600_000
BARS = [Bar(NOW_MS - hours * HOUR_MS, 3600, 9 if hours == 1 else hours % 3, 12) for hours in range(24, 0, -1)]


async def _bars(event: AlertEvent) -> Sequence[Bar]:
    return BARS


def _channel(server: MailServer, *to: str, **more: object) -> EmailChannel:
    login = {name: more.pop(name) for name in ("security", "user", "password", "ca") if name in more}
    smtp = SmtpServer("127.0.0.1", server.port, **{"security": "none", **login})  # type: ignore[arg-type]
    return EmailChannel(smtp, "moodwire <moodwire@example.org>", to or ("desk@example.org",), **more)  # type: ignore[arg-type]


def _parts(mail: EmailMessage) -> dict[str, EmailMessage]:
    return {part.get_content_type(): part for part in mail.walk()}


async def test_a_message_has_text_html_and_a_picture_that_opens() -> None:
    async with running_mail_server() as server:
        channel = _channel(server, "a@example.org", "b@example.org", history=_bars)
        assert await channel.notify(Notification(EVENT), NOW_MS) == Delivered()
        (mail,) = server.mails
        assert server.envelopes[0].rcpt_tos == ["a@example.org", "b@example.org"]
        assert server.envelopes[0].mail_from == "moodwire@example.org"
    assert mail["To"] == "a@example.org, b@example.org"
    assert mail["Subject"].startswith("WARNING: entity/Bänk Bcc: x@example.org, 3 negative in 15 min")
    assert mail["Bcc"] is None
    assert mail["Date"].datetime.timestamp() * 1000 == NOW_MS
    parts = _parts(mail)
    assert "Bank halts withdrawals" in parts["text/plain"].get_content()
    html = parts["text/html"].get_content()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert 'href="https://news.example/a?b=1&amp;c=2"' in html
    assert "javascript:" not in html.replace("&#", "")
    assert f'src="cid:{parts["image/png"]["Content-ID"].strip("<>")}"' in html
    image = Image.open(io.BytesIO(parts["image/png"].get_content()))
    image.load()
    assert (image.format, image.size) == ("PNG", (704, 264))


def test_the_picture_shows_the_surge_in_red_alone_where_it_was() -> None:
    image = Image.open(io.BytesIO(surge_png(EVENT, BARS))).convert("RGB")
    red = [x for x in range(image.width) for y in range(image.height) if image.getpixel((x, y)) == (220, 38, 38)]
    assert red
    assert min(red) > image.width * 0.9
    with pytest.raises(ValueError, match="no bars"):
        surge_png(EVENT, [])


@pytest.mark.parametrize("series", ["entity/SIVB", "entity/" + "x" * 100, "entity/Bänk"])
async def test_a_subject_arrives_as_it_was_written(series: str) -> None:
    """One of 70 to 78 characters would be moved to a line of its own, with a blank before it."""
    event = msgspec.structs.replace(EVENT, series=series)
    async with running_mail_server() as server:
        assert await _channel(server).notify(Notification(event), NOW_MS) == Delivered()
        [mail], [envelope] = server.mails, server.envelopes
    assert mail["Subject"] == brief_of(event).subject
    assert isinstance(envelope.content, bytes)
    assert envelope.content.isascii()
    assert b"Subject: WARNING" in envelope.content


async def test_every_attempt_has_one_id_and_all_messages_of_an_alert_are_a_thread() -> None:
    over = msgspec.structs.replace(EVENT, revision=2, change="resolved", state="resolved")
    async with running_mail_server() as server:
        for notification in (Notification(EVENT), Notification(EVENT, 2), Notification(over)):
            assert await _channel(server).notify(notification, NOW_MS) == Delivered()
        first, again, last = server.mails
    assert first["Message-ID"] == again["Message-ID"] != last["Message-ID"]
    assert first["References"] == last["References"]


GROUP = AlertGroup(
    id="g1", revision=1, receiver="subscriber/ann", labels={"kind": "entity"}, alerts=(EVENT, delivery_event("a2")),
    change=GroupChange.OPENED, severity="warning", opened_ms=NOW_MS, at_ms=NOW_MS, firing=2, resolved=0,
)  # fmt: skip


async def test_a_group_is_one_message_and_a_subscriber_gets_it_at_their_own_address() -> None:
    async with running_mail_server() as server:
        channel = _channel(server, history=_bars)
        assert await channel.notify(Notification(GROUP), NOW_MS) == Delivered()
        own = msgspec.structs.replace(GROUP, address="ann@example.org")
        assert await channel.notify(Notification(own), NOW_MS) == Delivered()
        wrong = msgspec.structs.replace(GROUP, address="ann\r\nBcc: x@example.org")
        assert isinstance(await channel.notify(Notification(wrong), NOW_MS), GiveUp)
        assert [one.rcpt_tos for one in server.envelopes] == [["desk@example.org"], ["ann@example.org"]]
        assert "2 alerts" in server.mails[0]["Subject"]
        assert server.mails[1]["To"] == "ann@example.org"


async def test_the_digest_of_a_day_comes_with_the_page_of_that_day() -> None:
    asked: list[int] = []

    async def page(until_ms: int) -> Attached:
        asked.append(until_ms)
        if len(asked) > 1:
            raise RuntimeError("the archive is away")
        return Attached("brief-2023-11-14.html", "<p>Nothing unusual — ☂</p>")

    day = msgspec.structs.replace(GROUP, change=GroupChange.DIGEST, digest="day")
    async with running_mail_server() as server:
        channel = _channel(server, history=_bars)
        channel.briefing = page
        for group in (day, msgspec.structs.replace(day, digest="hour"), GROUP, day):
            assert await channel.notify(Notification(group), NOW_MS) == Delivered()
        with_page, *without, failed = server.mails
    assert asked == [NOW_MS, NOW_MS]
    [attached] = with_page.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("brief-2023-11-14.html", "text/html")
    assert attached.get_content().strip() == "<p>Nothing unusual — ☂</p>"
    body, picture = with_page.get_body(("html",)), _parts(with_page)["image/png"]
    assert body is not None
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in body.get_content()
    assert [list(mail.iter_attachments()) for mail in without] == [[], []]
    text = failed.get_body(("plain",))
    assert text is not None
    assert "(The brief of the day could not be made: the archive is away)" in text.get_content()


async def test_an_archive_that_fails_costs_the_picture_and_not_the_message() -> None:
    async def fails(event: AlertEvent) -> Sequence[Bar]:
        raise RuntimeError("away")

    async with running_mail_server() as server:
        assert await _channel(server, history=fails).notify(Notification(EVENT), NOW_MS) == Delivered()
        (mail,) = server.mails
    assert set(_parts(mail)) == {"multipart/alternative", "text/plain", "text/html"}
    assert "<img" not in _parts(mail)["text/html"].get_content()


REFUSALS = {
    "one address of two": (
        {"b@example.org": "550 no such user"}, "250 OK",
        GiveUp(
            "delivered to the others, refused for b@example.org: 550 no such user",
            Told(("a@example.org",), (("b@example.org", "550 no such user"),)),
        ), 1,
    ),
    "both addresses": (
        {"a@example.org": "550 gone", "b@example.org": "553 bad"}, "250 OK",
        GiveUp(
            "refused for a@example.org: 550 gone; b@example.org: 553 bad",
            Told((), (("a@example.org", "550 gone"), ("b@example.org", "553 bad"))),
        ), 0,
    ),
    "a full mailbox": (
        {"a@example.org": "450 later", "b@example.org": "452 full"}, "250 OK",
        RetryLater, 0,
    ),
    "one mailbox of two": ({"b@example.org": "450 later"}, "250 OK", RetryLater, 1),
    "the message": ({}, "554 spam", GiveUp("refused: 554 spam"), 0),
    "the message for now": ({}, "451 busy", RetryLater, 0),
}  # fmt: skip


@pytest.mark.parametrize(("refusals", "at_data", "expected", "arrived"), REFUSALS.values(), ids=REFUSALS)
async def test_what_is_refused_holds_up_nothing_else(
    refusals: dict[str, str], at_data: str, expected: object, arrived: int
) -> None:
    async with running_mail_server() as server:
        server.refusals, server.at_data = refusals, at_data
        channel = _channel(server, "a@example.org", "b@example.org")
        answer = await channel.notify(Notification(EVENT), NOW_MS)
        assert len(server.envelopes) == arrived
    if isinstance(answer, RetryLater):
        assert (expected, answer.down) == (RetryLater, False)
    else:
        assert answer == expected


async def test_whom_the_server_refused_for_now_is_told_later_and_nobody_twice() -> None:
    ok, grey, gone = "ok@example.org", "grey@example.org", "gone@example.org"
    async with running_mail_server() as server:
        server.refusals = {grey: "450 later", gone: "550 no such user"}
        channel = _channel(server, ok, grey, gone)
        first = await channel.notify(Notification(EVENT), NOW_MS)
        assert isinstance(first, RetryLater)
        assert first.problem == f"delivered to the others, refused for {gone}: 550 no such user; {grey}: 450 later"
        assert first.told == Told((ok,), ((gone, "550 no such user"),))
        again = await channel.notify(Notification(EVENT, 2, first.told), NOW_MS)
        assert (isinstance(again, RetryLater), len(server.envelopes)) == (True, 1)
        server.refusals = {gone: "550 no such user"}
        last = await channel.notify(Notification(EVENT, 3, first.told), NOW_MS)
        assert last == GiveUp(
            f"delivered to the others, refused for {gone}: 550 no such user",
            Told((ok, grey), ((gone, "550 no such user"),)),
        )
        resend = Notification(EVENT, 1, Told((ok, grey)))
        server.refusals = {}
        assert await channel.notify(resend, NOW_MS) == Delivered()
        assert [one.rcpt_tos for one in server.envelopes] == [[ok], [grey], [gone]]
        assert {mail["To"] for mail in server.mails} == {f"{ok}, {grey}, {gone}"}
        assert len({mail["Message-ID"] for mail in server.mails}) == 1
        corrected = _channel(server, ok, grey)
        assert await corrected.notify(resend, NOW_MS) == Delivered(), "nobody is left: nothing is sent"
        assert len(server.envelopes) == 3


async def test_a_server_without_starttls_says_which_setting_to_change() -> None:
    async with running_mail_server() as server:
        answer = await _channel(server, security="starttls").notify(Notification(EVENT), NOW_MS)
    assert isinstance(answer, RetryLater)
    assert "the server has no STARTTLS; set `security: tls` (port 465), or `none`" in answer.problem


async def test_a_server_that_is_away_or_hangs_is_down() -> None:
    async with running_mail_server() as server:
        away = _channel(server)
    answer = await away.notify(Notification(EVENT), NOW_MS)
    assert isinstance(answer, RetryLater)
    assert (answer.problem, answer.down) == ("no connection: SMTPConnectError", True)


async def test_a_login_is_sent_over_tls_alone(certificate: tuple[Path, Path]) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    async with running_mail_server(tls, ("me", "s3cret")) as server:
        login = {"security": "starttls", "user": "me", "ca": certificate[0]}
        right = _channel(server, password="s3cret", **login)
        assert await right.notify(Notification(EVENT), NOW_MS) == Delivered()
        wrong = await _channel(server, password="other", **login).notify(Notification(EVENT), NOW_MS)
        assert isinstance(wrong, RetryLater)
        assert wrong.down
        assert "535" in wrong.problem
        stranger = await _channel(server, password="s3cret", security="starttls", user="me").notify(
            Notification(EVENT), NOW_MS
        )
        assert isinstance(stranger, RetryLater)  # nobody vouches for the certificate
        assert len(server.envelopes) == 1
    assert "s3cret" not in repr(right) + right.endpoint
    with pytest.raises(DeliveryError, match="a login needs starttls or tls"):
        _channel(server, user="me", password="s3cret")


@pytest.mark.parametrize("address", ["", "desk", "@example.org", "a@b\r\nBcc: c@d", "a@b,c@d", "a b@example.org"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(DeliveryError, match="is no e-mail address"):
        EmailChannel(SmtpServer("localhost"), "moodwire@example.org", [address])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(certificate, key), PEM; self-signed for 127.0.0.1."""
    return self_signed(tmp_path_factory.mktemp("tls"), "mail.example", "IP:127.0.0.1")
