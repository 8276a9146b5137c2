"""The parser process: documents that would hold up the pipeline cost their feed alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from streams.errors import Reject
from streams.feeds.documents import pool as module
from streams.feeds.documents.document import Document
from streams.feeds.documents.pool import ParserLimits, ParserPool, ParserUnavailable
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
        worker = parser._all[0]
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
        process = parser._all[0]._process
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
