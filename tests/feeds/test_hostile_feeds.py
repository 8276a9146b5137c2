"""Servers that send too much, the wrong thing, or lead elsewhere; each feed survives its own, and no other notices."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.feeds.documents.document import Document
from streams.feeds.documents.pool import ParserPool
from streams.feeds.feedlist import Feed
from streams.feeds.fetch import FetchFailed, fetch, printable
from streams.feeds.inflate import _Inflater
from streams.feeds.poller import FeedPoller, PollOutcome
from streams.net.client import open_client
from tests.feeds.desk import NOW_MS, TOPICS, Desk, rss
from tests.feeds.feed_server import Answer, Asked, running_feed_server

MIB = 1024 * 1024


def gzipped(data: bytes, times: int = 1) -> bytes:
    return data if times == 0 else gzipped(gzip.compress(data), times - 1)


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


# -- bytes


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzipped(rss("a"))),
        ("x-gzip", gzipped(rss("a"))),
        ("GZIP", gzipped(rss("a"))),
        ("deflate", zlib.compress(rss("a"))),
        ("deflate", raw_deflate(rss("a"))),
        ("identity", rss("a")),
        ("gzip", gzipped(rss("a")) + b"what follows the end"),
        ("gzip", gzipped(rss("a")) + b"\0" * 200_000),
        ("gzip", gzipped(rss("a")[:60]) + gzipped(b"") + gzipped(rss("a")[60:]) + b"\x1f"),
    ],
)
async def test_one_encoding_is_read(desk: Desk, encoding: str, body: bytes) -> None:
    desk.server.answers["/rss"] = Answer(body=body, headers={"Content-Encoding": encoding})
    assert (await desk.poller().poll(NOW_MS)).published == 1


@pytest.mark.parametrize(
    ("encoding", "body", "words"),
    [
        ("gzip, gzip", gzipped(rss("a"), 2), "only one of gzip and deflate"),
        ("gzip,identity", gzipped(rss("a")), "only one of gzip and deflate"),
        ("br", b"\x0b\x00\x80", "only one of gzip and deflate"),
        ("zstd", b"\x28\xb5", "only one of gzip and deflate"),
        ("\x1b]0;x", b"", "only one of gzip and deflate"),
        ("gzip", gzipped(b"\0" * 3 * MIB), "more than 200 times as many"),
        ("deflate", zlib.compress(b"\0" * 3 * MIB), "more than 200 times as many"),
        ("gzip", gzipped(rss("a"))[:-9], "breaks off"),
        ("gzip", gzipped(rss("a")[:60]) + gzipped(rss("a")[60:])[:-9], "breaks off"),
        ("gzip", gzipped(rss("a")) + gzipped(b"\0" * MIB) * 3, "more than 200 times as many"),
        ("gzip", gzipped(rss("a")) + gzipped(b"") * 1_000, "over 1,000 members"),
        ("gzip", rss("a"), "DecodingError"),
    ],
)
async def test_other_encodings_and_bombs_are_refused(desk: Desk, encoding: str, body: bytes, words: str) -> None:
    desk.server.answers["/rss"] = Answer(body=body, headers={"Content-Encoding": encoding})
    poll = await desk.poller().poll(NOW_MS)
    assert (poll.outcome, desk.titles()) == (PollOutcome.FAILED, [])
    assert words in poll.error
    assert poll.error.isprintable()


@given(texts=st.lists(st.binary(max_size=200), min_size=1, max_size=5), cut=st.integers(1, 40), after=st.binary())
def test_members_of_gzip_are_read_however_they_arrive(texts: list[bytes], cut: int, after: bytes) -> None:
    assume(not after.startswith(b"\x1f\x8b\x08"))
    body = b"".join(gzip.compress(text) for text in texts) + after
    inflater = _Inflater(31)
    pieces = [piece for at in range(0, len(body), cut) for piece in inflater.pieces(body[at : at + cut])]
    assert (b"".join(pieces), inflater.complete) == (b"".join(texts), True)


async def test_an_answer_of_many_bytes_is_bounded(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer(body=b"x" * 3_000_000)
    assert "over 1 MiB" in (await desk.poller(body_limit=MIB).poll(NOW_MS)).error


# -- headers


async def test_an_etag_that_cannot_be_sent_back_is_not_kept(desk: Desk) -> None:
    for header in ("ETag", "Last-Modified"):
        desk.server.answers["/rss"] = Answer(body=rss(header), headers={header: '"caf\xe9"'})
        poll = await desk.poller().poll(NOW_MS)
        assert (poll.outcome, poll.published) == (PollOutcome.UPDATED, 1)
        assert desk.poller().state.etag is desk.poller().state.modified is None
    assert len(desk.server.asked) == 2


async def test_a_kept_etag_that_cannot_be_sent_is_left_out(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer(body=rss("a"))
    feed, url = Feed(desk.server.url("/rss"), "x"), desk.server.url("/rss")
    fetched = await fetch(desk.client, feed, url=url, etag='"caf\xe9"', modified="x" * 9_000, now_ms=NOW_MS)
    assert fetched.body == rss("a")


async def test_a_long_reason_phrase_is_cut(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer("500 " + "A\x9b31m" * 10_000)
    poller = desk.poller()
    poll = await poller.poll(NOW_MS)
    assert poll.error.startswith("HTTP 500 A")
    assert len(poll.error) <= 300
    assert poll.error.isprintable()
    assert poller.state.error == poll.error


def test_foreign_text_is_printable_and_bounded() -> None:
    assert printable("a\x1b[31m\nb\u202e", 100) == "a\\x1b[31m\\nb\\u202e"
    assert printable("x" * 50, 10) == "x" * 9 + "…"


async def test_cookies_are_not_sent_back(desk: Desk) -> None:
    cookies = "\r\n".join(["1"] + [f"Set-Cookie: c{n}=v; path=/" for n in range(900)])
    desk.server.answers["/rss"] = Answer(body=rss("a"), headers={"X-Cookies": cookies})
    for _ in range(2):
        assert (await desk.poller().poll(NOW_MS)).outcome in (PollOutcome.UPDATED, PollOutcome.UNCHANGED)
    assert not desk.client.cookies
    assert "cookie" not in desk.server.asked[1].headers


async def test_a_cookie_of_the_feeds_file_is_sent(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer(body=rss("a"))
    await desk.poller(headers={"Cookie": "session=1"}).poll(NOW_MS)
    assert desk.server.asked[0].headers["cookie"] == "session=1"


# -- documents


async def test_the_newest_entries_of_a_huge_document_are_taken(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer(body=rss(*(f"t{n}" for n in range(2_500)), dates=False))
    poll = await desk.poller().poll(NOW_MS)
    assert (poll.published, poll.dropped) == (2_000, 500)
    assert "2,500 entries" in poll.error
    assert {"t0", "t1999"} <= set(desk.titles())
    assert "t2000" not in desk.titles()


async def test_what_no_parser_reads_is_parked_and_backs_off(desk: Desk) -> None:
    tag = b"<foo " + b" ".join(b"a%d='1'" % n for n in range(501)) + b"/>"
    items = b"<item><title>a</title></item><item><title>b &</title>" + tag + b"</item>"
    desk.server.answers["/rss"] = Answer(body=b"<rss version='2.0'><channel>" + items + b"</channel></rss>")
    poller = desk.poller(interval_seconds=60.0)
    waits = [((await poller.poll(NOW_MS)).due_ms or 0) - NOW_MS for _ in range(3)]
    assert waits[0] > 100_000
    assert waits[2] > 2 * waits[0]
    assert poller.state.failures == 3
    assert {reject.reason for reject in desk.rejects()} == {"bad_feed"}


async def test_a_feed_is_due_an_interval_after_its_poll_has_ended(desk: Desk) -> None:
    seconds = iter([0.0, 0.0, 100.0, 200.0, 350.0])
    desk.server.answers["/rss"] = Answer(body=rss("a"))
    poller = desk.poller(interval_seconds=10.0, monotonic=lambda: next(seconds))
    updated = await poller.poll(NOW_MS)
    assert 9_000 <= (updated.due_ms or 0) - (NOW_MS + 100_000) <= 11_000
    desk.server.answers["/rss"] = Answer(body=b"no feed")
    failed = await poller.poll(NOW_MS)
    assert 18_000 <= (failed.due_ms or 0) - (NOW_MS + 150_000) <= 22_000


async def test_a_defect_of_ours_is_a_failed_poll_and_backs_off(desk: Desk) -> None:
    class Broken:
        async def parse(self, body: bytes, headers: Mapping[str, str], url: str, *, costly: bool = False) -> Document:
            raise KeyError("a defect")

    desk.server.answers["/rss"] = Answer(body=rss("a"))
    poller = FeedPoller(Feed(desk.server.url("/rss"), "x", 60.0), desk.publisher, desk.client, TOPICS, Broken())
    poll = await poller.poll(NOW_MS)
    assert poll.outcome is PollOutcome.FAILED
    assert "KeyError" in poll.error
    assert (poll.due_ms or 0) - NOW_MS > 100_000


async def test_relative_links_are_resolved_where_the_document_was(desk: Desk) -> None:
    body = (
        b"<rss version='2.0'><channel><item><title>a</title><guid>1</guid><link>../a?b=1</link></item></channel></rss>"
    )
    desk.server.answers |= {
        "/rss": Answer("302 Found", headers={"Location": "/new/rss"}),
        "/new/rss": Answer(body=body),
    }
    await desk.poller().poll(NOW_MS)
    assert desk.news()[0].url == desk.server.url("/a?b=1")


@pytest.mark.parametrize(
    "head", [f"<language>{'x' * 100_000}</language>", f"<title>{'x' * 100_000}</title><link>{'y' * 100_000}</link>"]
)
async def test_what_every_entry_repeats_is_cut(desk: Desk, head: str) -> None:
    items = "<item><title>t</title><link>a</link></item>" * 3_000
    body = f"<rss version='2.0'><channel>{head}{items}</channel></rss>".encode()
    document = await desk.parser.parse(body, {}, "https://x.example/")
    assert len(document.entries) == 2_000
    assert all(len(str(entry["language"])) <= 100 for entry in document.entries)


async def test_a_base_that_makes_every_link_huge_costs_the_feed_alone(desk: Desk) -> None:
    items = "<item><title>t</title><link>a</link></item>" * 3_000
    base = "https://x.example/" + "y" * 400_000 + "/"
    desk.server.answers |= {
        "/rss": Answer(body=f"<rss version='2.0' xml:base='{base}'><channel>{items}</channel></rss>".encode()),
        "/good": Answer(body=rss("good")),
    }
    assert (await desk.poller().poll(NOW_MS)).outcome is PollOutcome.FAILED
    assert (await desk.poller("/good").poll(NOW_MS)).published == 1


# -- where redirects lead


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Desk]:
    """Whose client reaches the feed that the operator wrote, and nothing else on this machine."""
    async with running_feed_server() as server, ParserPool() as parser, open_client([server.url("/rss")]) as client:
        made = Desk(server, tmp_path / "broker.db", client, parser)
        yield made
        made.publisher.close()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_redirects_into_private_networks_are_refused(guarded: Desk, status: str) -> None:
    server = guarded.server
    server.answers["/admin"] = Answer(body=rss("secret"))
    for target in ("/admin", server.url("/admin", "localhost"), server.url("/admin", "127.1"), "//[::1]/admin",
                   "http://169.254.169.254/latest/meta-data/"):  # fmt: skip
        server.answers["/rss"] = Answer(status, headers={"Location": target})
        poller = guarded.poller()
        poll = await poller.poll(NOW_MS)
        assert "AddressRefused" in poll.error, target
        assert poller.state.moved_to is None
    assert {asked.path for asked in server.asked} == {"/rss"}
    assert guarded.titles() == []


async def test_a_remembered_redirect_is_checked_at_each_use(desk: Desk) -> None:
    server = desk.server
    server.answers |= {"/rss": Answer("301 Moved", headers={"Location": "/new"}), "/new": Answer(body=rss("a"))}
    await desk.poller().poll(NOW_MS)
    assert desk.poller().state.moved_to == server.url("/new")
    server.answers["/rss"] = Answer(body=rss("b"))
    async with open_client([server.url("/rss")]) as strict:  # as after a change of MOODWIRE_ALLOWED_NETWORKS
        poller = FeedPoller(desk.poller().feed, desk.publisher, strict, TOPICS, desk.parser)
        assert "AddressRefused" in (await poller.poll(NOW_MS)).error
        assert (await poller.poll(NOW_MS)).published == 1
    assert [asked.path for asked in server.asked] == ["/rss", "/new", "/rss"]


async def test_a_redirect_from_https_to_http_is_refused() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": "http://a.example/rss"})

    url = "https://a.example/rss"
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(FetchFailed, match="from HTTPS to HTTP"):
            await fetch(client, Feed(url, "a"), url=url, etag=None, modified=None, now_ms=NOW_MS)


async def test_an_endless_chain_of_addresses_is_cut(desk: Desk) -> None:
    def onwards(asked: Asked) -> Answer:
        return Answer("302 Found", headers={"Location": asked.path + "x"})

    desk.server.answers |= {"/rss" + "x" * n: onwards for n in range(9)}
    assert "more than 5 redirects" in (await desk.poller().poll(NOW_MS)).error
    desk.server.answers["/rss"] = Answer("302 Found", headers={"Location": "/" + "x" * 5_000})
    assert "no usable address" in (await desk.poller().poll(NOW_MS)).error
