"""The parser process: documents that would hold up the pipeline cost their feed alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping

import pytest

from streams import worker_process as module
from streams.errors import Reject
from streams.feeds.documents.document import Document
from streams.feeds.documents.pool import CostlyReject, ParserBusy, ParserLimits, ParserPool, ParserUnavailable
from streams.feeds.poller import PollOutcome
from tests.feeds.desk import NOW_MS, Desk, rss
from tests.feeds.feed_server import Answer

URL = "https://news.example/rss"


def hostile(inner: str) -> bytes:
    """Broken, so that the linear reader leaves it to feedparser."""
    return f"<rss version='2.0'><channel><item><title>x</title>{inner}</item></channel>&".encode()


QUADRATIC = hostile(f"<author>{'a.' * 60_000}</author>")  # minutes
GREEDY = hostile("<item>" * 100_000)


def titles(document: Document) -> list[object]:
    return [entry["title"] for entry in document.entries]


async def test_documents_are_read_in_another_process() -> None:
    async with ParserPool() as parser:
        worker = parser._quick.workers[0]
        assert not worker.is_running, "started when it is needed"
        assert titles(await parser.parse(rss("a", "b"), {}, URL)) == ["b", "a"]
        first = worker._process
        assert first is not None
        assert first.pid != os.getpid()
        assert titles(await parser.parse(rss("c"), {}, URL)) == ["c"]
        assert worker._process is first
    assert first.returncode is not None


async def test_a_document_that_takes_too_long_is_refused_and_the_next_is_read() -> None:
    async with ParserPool(ParserLimits(cpu_seconds=0.5)) as parser:
        with pytest.raises(Reject, match=r"costly_feed: parsing took over 0\.5 s of processor time"):
            await parser.parse(QUADRATIC, {}, URL)
        assert titles(await parser.parse(rss("a"), {}, URL)) == ["a"]


async def test_a_process_that_hangs_is_killed() -> None:
    async with ParserPool(ParserLimits(cpu_seconds=60, seconds=0.3)) as parser:
        with pytest.raises(Reject, match=r"costly_feed: parsing took over 0\.3 s"):
            await parser.parse(QUADRATIC, {}, URL)


async def test_a_document_that_takes_too_much_memory_is_refused_and_the_next_is_read() -> None:
    async with ParserPool(ParserLimits(memory_bytes=80 << 20)) as parser:
        with pytest.raises(Reject, match="costly_feed"):
            await parser.parse(GREEDY, {}, URL)
        assert titles(await parser.parse(rss("a"), {}, URL)) == ["a"]


async def test_a_process_that_is_killed_is_replaced() -> None:
    async with ParserPool() as parser:
        await parser.parse(rss("a"), {}, URL)
        process = parser._quick.workers[0]._process
        assert process is not None
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert titles(await parser.parse(rss("b"), {}, URL)) == ["b"]


async def test_a_question_that_is_given_up_answers_no_other() -> None:
    async with ParserPool(ParserLimits(cpu_seconds=60)) as parser:
        asking = asyncio.ensure_future(parser.parse(QUADRATIC, {}, URL))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert titles(await parser.parse(rss("b"), {}, URL)) == ["b"]


async def test_many_at_once_wait_for_each_other() -> None:
    async with ParserPool(workers=2) as parser:
        documents = await asyncio.gather(*(parser.parse(rss(f"t{n}"), {}, URL) for n in range(20)))
    assert [titles(document) for document in documents] == [[f"t{n}"] for n in range(20)]


async def test_no_process_is_not_the_documents_fault(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ParserUnavailable):
        await desk.parser.parse(rss("a"), {}, URL)
    desk.server.answers["/rss"] = Answer(body=rss("a"))
    poll = await desk.poller().poll(NOW_MS)
    assert (poll.outcome, desk.rejects()) == (PollOutcome.FAILED, [])


async def test_secrets_are_not_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODWIRE_WEBHOOK_SECRET", "whsec_x")
    assert not any(name.startswith("MOODWIRE_") for name in module._environment())


async def test_a_hostile_feed_delays_no_other(desk: Desk) -> None:
    desk.server.answers |= {"/hostile": Answer(body=QUADRATIC), "/good": Answer(body=rss("good"))}
    async with ParserPool(ParserLimits(cpu_seconds=1)) as desk.parser:
        bad, good = await asyncio.gather(desk.poller("/hostile").poll(NOW_MS), desk.poller("/good").poll(NOW_MS))
    assert (good.published, bad.outcome) == (1, PollOutcome.FAILED)
    assert "costly_feed" in bad.error
    assert (bad.due_ms or 0) - NOW_MS > 500_000
    assert [reject.reason for reject in desk.rejects()] == ["costly_feed"]


COSTLY = hostile(f"<author>{'a.' * 14_000}</author>")  # some four seconds: over one on a fast machine too


async def test_a_costly_document_moves_over_and_holds_up_no_cheap_one() -> None:
    """Nothing but the order of what is read counts here, so the speed of the machine does not."""
    async with ParserPool(ParserLimits(cpu_seconds=600, seconds=600)) as parser:
        costly = [
            asyncio.ensure_future(parser.parse(QUADRATIC, {}, URL, costly=known)) for known in (False, True, True)
        ]
        await asyncio.sleep(0)
        cheap = await asyncio.gather(*(parser.parse(rss(f"t{n}"), {}, URL) for n in range(20)))
        assert [titles(document) for document in cheap] == [[f"t{n}"] for n in range(20)]
        assert not any(task.done() for task in costly)
        for task in costly:
            task.cancel()
        await asyncio.gather(*costly, return_exceptions=True)


async def test_few_documents_wait_in_the_costly_lane() -> None:
    async with ParserPool(ParserLimits(cpu_seconds=600, seconds=600, most_waiting=2)) as parser:
        under_way = [asyncio.ensure_future(parser.parse(QUADRATIC, {}, URL, costly=True)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(ParserBusy, match="2 other documents"):
            await parser.parse(rss("a"), {}, URL, costly=True)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        assert titles(await parser.parse(rss("a"), {}, URL, costly=True)) == ["a"]


class Priced:
    """Reads any document, at a price in seconds of processor time."""

    def __init__(self) -> None:
        self.prices: list[float | Exception] = []
        self.lanes: list[bool] = []

    async def parse(self, body: bytes, headers: Mapping[str, str], url: str, *, costly: bool = False) -> Document:
        self.lanes.append(costly)
        price = self.prices.pop(0)
        if isinstance(price, Exception):
            raise price
        return Document((), "", "", cpu_seconds=price)


async def test_a_feed_of_costly_documents_waits_longer_and_in_their_lane(desk: Desk) -> None:
    parser = Priced()
    desk.parser = parser
    refused, busy = CostlyReject("bad_feed", "x"), ParserBusy("x")
    parser.prices = [0.9, 1.1, refused, busy, *[2.0] * 7, 0.5, Reject("bad_feed", "x"), 0.1]
    waits, costly = [], []
    for n in range(len(parser.prices)):
        desk.server.answers["/rss"] = Answer(body=rss(f"t{n}"))
        poll = await desk.poller(interval_seconds=60.0).poll(NOW_MS)  # as after a restart
        waits.append(((poll.due_ms or 0) - NOW_MS) / 60_000)
        costly.append(poll.costly)
    assert parser.lanes == [False, False, *[True] * 10, False, False]
    assert costly == [False, True, False, False, *[True] * 7, False, False, False]
    assert 1.8 <= waits[1] <= 2.2
    assert 14 <= waits[4] <= 18, "four costly ones in a row"
    assert 54 <= waits[10] <= 66, "an hour at most"
    assert 0.9 <= waits[11] <= 1.1


async def test_a_document_of_over_a_second_is_read_and_costs_its_feed_a_wait(desk: Desk) -> None:
    desk.server.answers["/rss"] = Answer(body=COSTLY)
    async with ParserPool(ParserLimits(cpu_seconds=300, seconds=300)) as desk.parser:
        poll = await desk.poller(interval_seconds=60.0).poll(NOW_MS)
    assert (poll.published, poll.costly) == (1, True)
    assert (poll.due_ms or 0) - NOW_MS > 100_000
