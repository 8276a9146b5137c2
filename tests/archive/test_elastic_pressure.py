"""The archive under pressure: busy, silent, refusing and failing servers, played by a small HTTP stub."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from pydantic import SecretStr

from streams.archive.elastic.bulk import Action, Bulk, Settled
from streams.archive.elastic.options import ElasticOptions
from streams.archive.elastic.session import BACKOFF, Session
from streams.archive.elastic.verdicts import Verdict
from streams.errors import Retry
from tests.archive.elastic_stub import Answering, ElasticStub, Reply, item_errors, running_stub

OPTIONS = ElasticOptions(prefix="t-", attempts=4, request_seconds=0.2)
BUSY = Reply(429, {"error": {"type": "es_rejected_execution_exception", "reason": "queue is full"}})
DONE = Settled(Verdict.DONE)


class Played:
    """A stub, a bulk sender on it, and what was waited and said."""

    def __init__(self, stub: ElasticStub, options: ElasticOptions) -> None:
        self.stub = stub
        self.waits: list[float] = []
        self.troubles: list[str | None] = []
        self.session = Session(stub.url, options, on_trouble=self.troubles.append, sleep=self._sleep)
        self.bulk = Bulk(self.session, options)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@asynccontextmanager
async def played(*answers: Reply | Answering, options: ElasticOptions = OPTIONS) -> AsyncIterator[Played]:
    async with running_stub(*answers) as stub:
        made = Played(stub, options)
        try:
            yield made
        finally:
            await made.session.close()


def actions(*ids: str, size: int = 10) -> list[Action]:
    return [Action.of("create", "t-items-x", one, b'{"a":"' + b"x" * size + b'"}') for one in ids]


async def test_a_busy_server_is_asked_again_with_growing_waits() -> None:
    async with played(BUSY, BUSY) as play:
        assert await play.bulk.send(actions("a", "b")) == [DONE, DONE]
        assert play.stub.ids() == [["a", "b"]] * 3
        assert 0.1 <= play.waits[0] <= 0.2 <= play.waits[1] <= 0.4
        assert play.session.retries == 2
        assert play.troubles == []


async def test_retry_after_is_honoured() -> None:
    async with played(replace(BUSY, headers={"Retry-After": "7"})) as play:
        await play.bulk.send(actions("a"))
        assert play.waits == [7.0]


async def test_only_what_failed_is_sent_again() -> None:
    partly = item_errors({"b": (429, "es_rejected_execution_exception", "full"), "c": (503, "unavailable_shards", "")})
    async with played(partly) as play:
        assert await play.bulk.send(actions("a", "b", "c")) == [DONE] * 3
        assert play.stub.ids() == [["a", "b", "c"], ["b", "c"]]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_failing_server_or_proxy_makes_the_partition_wait(status: int) -> None:
    async with played(*[Reply(status, "<html>bad gateway</html>")] * 4) as play:
        with pytest.raises(Retry, match=str(status)):
            await play.bulk.send(actions("a"))
        assert len(play.stub.requests) == OPTIONS.attempts
        assert len(play.troubles) == 1
        assert await play.bulk.send(actions("a")) == [DONE]
        assert play.troubles[1:] == [None]


async def test_a_silent_server_is_a_retry() -> None:
    async with played(Reply(silent=True)) as play:
        assert await play.bulk.send(actions("a")) == [DONE]
        assert len(play.stub.requests) == 2


async def test_an_absent_server_is_a_retry() -> None:
    async with played() as play:
        play.stub.closing.set()
        session = Session("http://127.0.0.1:1", OPTIONS, sleep=play._sleep)
        with pytest.raises(Retry, match="ConnectionError"):
            await session.call("GET", "/")
        await session.close()
        assert len(play.waits) == OPTIONS.attempts - 1


async def test_too_large_is_sent_in_halves_and_a_single_one_is_refused() -> None:
    too_large = Reply(413, "Request Entity Too Large")
    async with played(too_large, too_large) as play:
        results = await play.bulk.send(actions("a", "b", "c"))
        assert play.stub.ids() == [["a", "b", "c"], ["a"], ["b", "c"]]
        assert results[0].verdict is Verdict.REFUSED
        assert results[0].kind == "too_large"
        assert results[1:] == [DONE, DONE]


async def test_a_conflict_is_told_and_a_parse_error_is_refused_with_its_reason() -> None:
    answer = item_errors(
        {
            "a": (409, "version_conflict_engine_exception", "exists"),
            "b": (400, "document_parsing_exception", "failed to parse field [x]"),
        }
    )
    async with played(answer) as play:
        results = await play.bulk.send(actions("a", "b", "c"))
        assert [result.verdict for result in results] == [Verdict.CONFLICT, Verdict.REFUSED, Verdict.DONE]
        assert (results[1].kind, results[1].reason) == ("document_parsing_exception", "failed to parse field [x]")


TROUBLES = [
    (401, "security_exception", "missing authentication credentials"),
    (403, "security_exception", "action is unauthorized"),
    (403, "cluster_block_exception", "index [x] blocked by: [FORBIDDEN/8/index write (api)]"),
    (429, "cluster_block_exception", "blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]"),
    (400, "validation_exception", "this action would add [2] shards, but this cluster has [1000]/[1000] maximum"),
    (400, "illegal_argument_exception", "Limit of total fields [1000] has been exceeded"),
    (404, "index_not_found_exception", "no such index and [action.auto_create_index] is false"),
]


@pytest.mark.parametrize(("status", "kind", "reason"), TROUBLES)
async def test_what_somebody_must_mend_waits_and_is_said_once(
    status: int, kind: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    refusing = Reply(status, {"error": {"type": kind, "reason": reason}})
    async with played(refusing, refusing) as play:
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                with pytest.raises(Retry, match=kind):
                    await play.bulk.send(actions("a"))
        assert play.waits == []
        assert len(play.troubles) == 1
        ours = [record.levelname for record in caplog.records if record.name.startswith("streams.")]
        assert ours == ["ERROR"]
        assert await play.bulk.send(actions("a")) == [DONE]
        assert play.troubles[-1] is None


@pytest.mark.parametrize(("status", "kind", "reason"), [row for row in TROUBLES if row[0] != 404])
async def test_trouble_of_one_item_holds_the_whole_write(status: int, kind: str, reason: str) -> None:
    async with played(item_errors({"b": (status, kind, reason)})) as play:
        with pytest.raises(Retry, match=kind):
            await play.bulk.send(actions("a", "b"))


async def test_requests_are_bounded_in_bytes_and_in_number() -> None:
    options = replace(OPTIONS, bulk_bytes=1_000, in_flight=3)
    async with played(options=options) as play:
        ids = [str(number) for number in range(40)]
        assert await play.bulk.send(actions(*ids, size=200)) == [DONE] * 40
        assert sorted((one for request in play.stub.ids() for one in request), key=int) == ids
        assert max(map(len, play.stub.ids())) == 3
        assert play.stub.most_at_once == 3


async def test_a_document_larger_than_the_bound_goes_alone() -> None:
    async with played(options=replace(OPTIONS, bulk_bytes=100)) as play:
        await play.bulk.send([*actions("a"), *actions("b", size=500), *actions("c")])
        assert ["b"] in play.stub.ids()


def test_backoff_doubles_up_to_a_bound_and_jitter_shortens_it() -> None:
    assert [BACKOFF.wait_seconds(attempt) for attempt in (1, 2, 3, 9)] == [0.2, 0.4, 0.8, 5.0]
    assert BACKOFF.wait_seconds(2, chance=0.5) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("options", "header"),
    [
        (ElasticOptions(user="ann", password=SecretStr("hush")), "Basic YW5uOmh1c2g="),
        (ElasticOptions(api_key=SecretStr("a2V5")), "ApiKey a2V5"),
        (ElasticOptions(), None),
    ],
)
async def test_credentials_go_with_every_request(options: ElasticOptions, header: str | None) -> None:
    async with played(options=options) as play:
        await play.bulk.send(actions("a"))
        assert play.stub.headers[0].get("Authorization") == header
        assert "compatible-with" not in play.stub.headers[0]["Content-Type"]


NO_SHARD = {"error": {"type": "no_shard_available_action_exception", "reason": "starting"}, "_id": "a"}
ABSENT = {"error": {"type": "index_not_found_exception", "reason": "none"}, "_id": "a"}


async def test_a_document_that_no_shard_could_give_is_asked_for_again() -> None:
    """A server that starts answers 200 with errors inside: taken for "not there", a notification would go twice."""
    there = {"_id": "a", "found": True}
    async with played(Reply(body={"docs": [NO_SHARD]}), Reply(body={"docs": [there]})) as play:
        assert await play.session.documents([{"_index": "t-n", "_id": "a"}]) == [there]
        assert len(play.waits) == 1


async def test_an_index_that_is_not_there_holds_nothing() -> None:
    async with played(Reply(body={"docs": [ABSENT]})) as play:
        assert await play.session.documents([{"_index": "t-n", "_id": "a"}]) == [ABSENT]
        assert play.waits == []


async def test_a_count_that_misses_a_shard_is_asked_for_again() -> None:
    partial, whole = ({"count": 3, "_shards": {"total": 2, "failed": failed}} for failed in (1, 0))
    async with played(Reply(body=partial), Reply(body=whole)) as play:
        assert await play.session.call("POST", "/t-items/_count") == whole
        assert len(play.stub.requests) == 2
