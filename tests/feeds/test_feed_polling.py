"""Polling real HTTP servers into a real embedded broker."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from streams.errors import SettingsError, TransportError
from streams.feeds.feedlist import Feed, load_feeds
from streams.feeds.poller import FeedPoller, Poll, PollOutcome
from streams.feeds.polling import follow_feeds
from streams.feeds.publisher import BrokerPublisher
from streams.feeds.schedule import after_failure
from streams.feeds.slots import Place
from streams.transport.sqlite.client import EmbeddedBroker
from tests.feeds.desk import NOW_MS, TOPICS, Desk, rss
from tests.feeds.feed_server import Answer, Asked

HOUR_MS = 3_600_000


async def test_a_poll_publishes_oldest_first_and_stamps_seen(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer(body=rss("newest", "older", "oldest"))
    poll = await desk.poller(language="fr").poll(NOW_MS)
    assert (poll.outcome, poll.published, poll.rejected) == (PollOutcome.UPDATED, 3, 0)
    assert desk.titles() == ["oldest", "older", "newest"]
    news = desk.news()[0]
    assert (news.seen_ms, news.published_ms, news.source, news.language) == (NOW_MS, 1_771_314_960_000, "/rss", "fr")
    assert desk.store.progress("counted_until") == str(NOW_MS)


async def test_a_conditional_get_answers_to_what_was_said(desk: Desk) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.headers.get("if-none-match") == '"v1"':
            return Answer("304 Not Modified")
        return Answer(body=rss("a"), headers={"ETag": '"v1"', "Last-Modified": "Tue, 17 Feb 2026 07:00:00 GMT"})

    desk.server.answers["/rss"] = answer
    first = desk.poller()
    await first.poll(NOW_MS)
    assert (await first.poll(NOW_MS + 1)).outcome is PollOutcome.UNCHANGED
    restarted = desk.poller()
    assert (await restarted.poll(NOW_MS + 2)).outcome is PollOutcome.UNCHANGED
    assert desk.server.asked[2].headers["if-modified-since"] == "Tue, 17 Feb 2026 07:00:00 GMT"
    assert "if-none-match" not in desk.server.asked[0].headers
    assert desk.titles() == ["a"]


async def test_only_new_and_corrected_entries_are_published_also_after_a_restart(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer(body=rss("a", "b"))
    await desk.poller().poll(NOW_MS)
    desk.server.answers["/rss"] = Answer(body=rss("a, corrected", "b", "c"))
    poll = await desk.poller().poll(NOW_MS + 1)
    assert (poll.published, desk.titles()) == (2, ["b", "a", "c", "a, corrected"])
    ids = [news.id for news in desk.news()]
    assert ids[1] == ids[3]
    assert len(set(ids)) == 3


async def test_the_same_body_without_an_etag_is_unchanged(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer(body=rss("a"))
    poller = desk.poller()
    await poller.poll(NOW_MS)
    assert (await poller.poll(NOW_MS)).outcome is PollOutcome.UNCHANGED


async def test_two_feeds_with_the_same_numbers_lose_nothing(desk: Desk) -> None:
    for path in ("/one", "/two"):
        desk.server.answers[path] = Answer(body=rss("a", "b", "c"))
        await desk.poller(path).poll(NOW_MS)
    assert len({news.id for news in desk.news()}) == 6


async def test_entries_that_cannot_be_mapped_are_parked_and_cost_no_neighbour(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer(body=rss("a", " ", "c"))
    poller = desk.poller()
    assert (await poller.poll(NOW_MS)).rejected == 1
    assert desk.titles() == ["c", "a"]
    assert [(reject.reason, reject.source) for reject in desk.rejects()] == [("no_title", "/rss")]
    desk.server.answers["/rss"] = Answer(body=rss("a", " ", "c", "d"))
    assert (await poller.poll(NOW_MS)).rejected == 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"<html>Sign in</html>", "bad_feed"), (b"<!DOCTYPE r [<!ENTITY a 'x'>]><rss/>", "unsafe_xml"), (b"", "bad_feed")],
)
async def test_a_document_that_is_no_feed_is_parked(desk: Desk, body: bytes, reason: str) -> None:
    desk.server.answers["/rss"] = Answer(body=body)
    poll = await desk.poller().poll(NOW_MS)
    assert poll.outcome is PollOutcome.FAILED
    assert [(reject.reason, reject.raw_bytes()) for reject in desk.rejects()] == [(reason, body)]


# -- what goes wrong on the way


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer("500 Oops"), "HTTP 500 Oops"),
        (Answer("204 No Content"), "HTTP 204"),
        (Answer(body=rss("x" * 3_000)), "MiB"),
        (Answer(body=gzip.compress(b"x" * 100_000), headers={"Content-Encoding": "gzip"}), "MiB"),
        (Answer(body=b"no gzip", headers={"Content-Encoding": "gzip"}), "DecodingError"),
        (Answer(body=rss("a"), hang_up=True), "RemoteProtocolError"),
        (Answer(body=rss("a"), stall=True), "no answer within 0.2 s"),
        (Answer("302 Found", headers={"Location": "file:///etc/passwd"}), "no usable address"),
        (Answer("302 Found"), "no usable address"),
        (Answer("302 Found", headers={"Location": "/rss"}), "more than 5 redirects"),
        (Answer("999999 ?"), "RemoteProtocolError"),
    ],
)
async def test_failures_back_off_with_their_reason(desk: Desk, answer: Answer, words: str) -> None:
    desk.server.answers["/rss"] = answer
    timeout_seconds = 0.2 if answer.stall else 60.0
    poll = await desk.poller(timeout_seconds=timeout_seconds, body_limit=2_000, interval_seconds=60.0).poll(NOW_MS)
    assert poll.outcome is PollOutcome.FAILED
    assert words in poll.error
    assert poll.due_ms is not None
    assert 100_000 <= poll.due_ms - NOW_MS <= 140_000
    assert desk.titles() == []


async def test_a_server_that_is_not_there_backs_off_ever_longer_and_recovers(desk: Desk) -> None:
    poller = desk.poller(interval_seconds=60.0)
    waits = []
    for _ in range(12):
        poll = await poller.poll(NOW_MS)
        assert poll.due_ms is not None
        waits.append((poll.due_ms - NOW_MS) / 1000)
    assert all(later > earlier * 1.5 for earlier, later in itertools.pairwise(waits[:7]))
    assert max(waits) <= 6 * 3600 * 1.1
    desk.server.answers["/rss"] = Answer(body=rss("a"))
    recovered = await desk.poller(interval_seconds=60.0).poll(NOW_MS)
    assert recovered.due_ms is not None
    assert 54_000 <= recovered.due_ms - NOW_MS <= 66_000


async def test_retry_after_is_obeyed(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer("429 Too Many Requests", headers={"Retry-After": "7200"})
    poll = await desk.poller(interval_seconds=60.0).poll(NOW_MS)
    assert poll.due_ms == NOW_MS + 2 * HOUR_MS


def test_an_absurd_retry_after_is_bounded() -> None:
    due_ms = after_failure(60, 1, 10.0**9, NOW_MS, random.Random(1))
    assert due_ms == NOW_MS + 24 * HOUR_MS


async def test_a_feed_that_is_gone_is_asked_no_more(desk: Desk) -> None:
    desk.server.answers |= {"/rss": Answer("410 Gone"), "/other": Answer("404 Not Found")}
    stop = asyncio.Event()
    gone, other = desk.poller("/rss"), desk.poller("/other")
    always_due = itertools.count(NOW_MS, 48 * HOUR_MS)
    following = asyncio.ensure_future(follow_feeds([gone, other], stop, lambda: next(always_due)))
    await desk.publisher.until(lambda: other.state.failures >= 5)
    stop.set()
    await following
    paths = [asked.path for asked in desk.server.asked]
    assert (paths.count("/rss"), gone.state.gone) == (1, True)
    assert "410" in gone.state.error


async def test_a_permanent_redirect_is_remembered_and_a_temporary_one_is_not(desk: Desk) -> None:
    desk.server.answers["/new"] = Answer(body=rss("a"))
    for status, asked in (("302 Found", ["/rss", "/new", "/rss", "/new"]), ("301 Moved", ["/rss", "/new", "/new"])):
        desk.server.asked.clear()
        desk.server.answers["/rss"] = Answer(status, headers={"Location": "/new"})
        await desk.poller().poll(NOW_MS)
        await desk.poller().poll(NOW_MS)
        assert [request.path for request in desk.server.asked] == asked


async def test_a_new_address_that_fails_is_given_up(desk: Desk) -> None:
    desk.server.answers |= {"/rss": Answer("301 Moved", headers={"Location": "/new"}), "/new": Answer(body=rss("a"))}
    poller = desk.poller()
    await poller.poll(NOW_MS)
    desk.server.answers |= {"/rss": Answer(body=rss("b")), "/new": Answer("404 Not Found")}
    assert (await poller.poll(NOW_MS)).outcome is PollOutcome.FAILED
    assert (await poller.poll(NOW_MS)).outcome is PollOutcome.UPDATED
    assert desk.titles() == ["a", "b"]


async def test_secrets_go_to_the_feeds_own_host_only(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer("302 Found", headers={"Location": desk.server.url("/new", host="localhost")})
    desk.server.answers["/new"] = Answer(body=rss("a"))
    poller = desk.poller(headers={"X-Api-Key": "hunter2"})
    assert (await poller.poll(NOW_MS)).published == 1
    assert [request.headers.get("x-api-key") for request in desk.server.asked] == ["hunter2", None]
    assert "hunter2" not in repr(poller.feed)


async def test_one_bad_feed_never_stops_the_others(desk: Desk) -> None:
    desk.server.answers |= {
        "/stalls": Answer(body=rss("x"), stall=True),
        "/html": Answer(body=b"<html>"),
        "/good": Answer(body=rss("good one")),
    }
    stop = asyncio.Event()
    pollers = [desk.poller(path) for path in ("/stalls", "/html", "/absent", "/good")]

    class Broken(FeedPoller):
        async def poll(self, now_ms: int, place: Place | None = None) -> Poll:
            raise RuntimeError("a defect in a poller")

    pollers.insert(0, Broken(Feed("http://127.0.0.1:1/", "broken"), desk.publisher, desk.client, TOPICS, desk.parser))
    following = asyncio.ensure_future(follow_feeds(pollers, stop, lambda: NOW_MS))
    await desk.publisher.until(lambda: bool(desk.titles()))
    stop.set()
    await asyncio.wait_for(following, 5)
    assert desk.titles() == ["good one"]


async def test_what_the_broker_refused_is_published_at_the_next_poll(desk: Desk) -> None:
    class Refusing(BrokerPublisher):
        def publish(self, sends: Any, progress: Any = None) -> None:
            raise TransportError("disk full")

    desk.server.answers["/rss"] = Answer(body=rss("a"))
    feed = Feed(desk.server.url("/rss"), "/rss")
    poller = FeedPoller(feed, Refusing(EmbeddedBroker.of(desk.store)), desk.client, TOPICS, desk.parser)
    with pytest.raises(TransportError):
        await poller.poll(NOW_MS)
    assert poller.state.recent == ()
    assert (await desk.poller().poll(NOW_MS)).published == 1


async def test_memory_of_entries_is_bounded_and_outlives_the_document(desk: Desk) -> None:
    poller = desk.poller()
    for n in range(0, 3_000, 500):
        titles = [f"t{k}" for k in range(n, n + 500)]
        desk.server.answers["/rss"] = Answer(body=rss(*titles, first=n, dates=False))
        assert (await poller.poll(NOW_MS)).published == 500
    assert len(poller.state.recent) == 2_000
    assert len(desk.store.progress(poller._key) or "") < 60_000


# -- the list of feeds


def test_the_list_of_feeds(tmp_path: Path) -> None:
    path = tmp_path / "feeds.yaml"
    path.write_text(
        "feeds:\n"
        "  - {url: https://a.example/rss, name: A, interval_seconds: 60, language: en, headers: {X-Key: secret}}\n"
        "  - url: http://b.example/atom\n"
    )
    first, second = load_feeds(path)
    assert first == Feed("https://a.example/rss", "A", 60.0, "en", {"X-Key": "secret"})
    assert second == Feed("http://b.example/atom", "b.example")
    assert "secret" not in repr(first)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "take keys such as feeds, not a list"),
        ("feeds: [a]", "entry 1"),
        ("feeds: [{url: ftp://a}]", "http:// or https://"),
        ("feeds: [{name: a}]", "url"),
        ("feeds: [{url: 'http://[bad'}]", "url"),
        ("feeds: [{url: http://a, nmae: b}]", "did you mean 'name'"),
        ("feeds: [{url: http://a, interval_seconds: 1}]", "at least 10"),
        ("feeds: [{url: http://a, interval_seconds: true}]", "at least 10"),
        ("feeds: [{url: http://a, headers: {a: 1}}]", "headers"),
        ("feeds: [{url: http://a, name: ''}]", "name: take a text, it is empty"),
        ("feeds: [{url: http://a}, {url: http://a, name: b}]", "url 'http://a' is used 2 times"),
        ("feeds: [{url: http://a, name: n}, {url: http://b, name: n}]", "name 'n' is used 2 times"),
        ("feeds: [{url: 'http://a:99999/x?key=k'}]", "url: 'http://a:99999/x' cannot be asked: Port out of range"),
        ("feeds: [{url: 'http://a:b/'}]", "cannot be asked"),
        ("feeds: [{url: 'http://999.1.1.1/'}]", "cannot be asked"),
        ("feeds: [{url: 'http://a:0/'}]", "no host or port that can exist"),
        ("feeds: [{url: 'http://a b/'}]", "no host or port that can exist"),
        ("feeds: [{url: 'http://u:secret@a..b/'}]", "url: 'http://a..b/' has no host or port that can exist"),
        (f"feeds: [{{url: 'http://{'a' * 64}.example/'}}]", "no host or port that can exist"),
        ("feeds: [{url: 'http://'}]", "no host or port that can exist"),
        ("feeds: [{url: ftp://a}, {url: http://b, interval_seconds: 1}]", "entry 2: interval_seconds"),
        ("feeds: [", "feeds.yaml:1: not YAML"),
    ],
)
def test_mistakes_in_the_list_are_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "feeds.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_feeds(path)
    assert words in str(caught.value)
    assert "feeds.yaml" in str(caught.value)


@pytest.mark.parametrize(
    "host", ["a", "a.example.", "127.0.0.1:8080", "[::1]:80", "b\u00fccher.example", "x_y.example"]
)
def test_hosts_that_can_exist_are_taken(tmp_path: Path, host: str) -> None:
    (tmp_path / "feeds.yaml").write_text(f"feeds: [{{url: 'http://{host}/rss'}}]")
    (feed,) = load_feeds(tmp_path / "feeds.yaml")
    assert feed.url == f"http://{host}/rss"


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.yaml"):
        load_feeds(tmp_path / "absent.yaml")
