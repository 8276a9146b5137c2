"""The writer thread: many senders, few transactions, and each gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.engine.ports import Send
from streams.errors import SettingsError, TransportError
from streams.transport.sqlite.broker import Broker, broker_path
from streams.transport.sqlite.store import Commit


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    broker = Broker.acquire(tmp_path / "broker.db")
    broker.store.create_topic("t", 2)
    yield broker
    broker.release()


async def test_what_is_queued_together_is_one_transaction(broker: Broker) -> None:
    announced = []
    stop = broker.store.hub.listen(lambda: announced.append(1))
    with broker.store.hub.write_lock:  # the writer waits here with the first job while the others queue up
        answers = [broker.writer.send([Send("t", None, b"%d" % n, n % 2)]) for n in range(100)]
    places = [place for answer in answers for place in await answer]
    stop()
    assert places == [(n % 2, n // 2) for n in range(100)]
    assert len(announced) <= 2


async def test_a_refused_send_fails_alone(broker: Broker) -> None:
    with broker.store.hub.write_lock:
        good = broker.writer.send([Send("t", None, b"1", 0)])
        bad = broker.writer.send([Send("t", None, b"2", 0), Send("nope", None, b"3")])
        later = broker.writer.send([Send("t", None, b"4", 0)])
    assert await good == [(0, 0)]
    with pytest.raises(TransportError, match="no topic 'nope'"):
        await bad
    assert await later == [(0, 1)]
    assert [record.value for record in broker.store.read("t", 0, 0, 9)] == [b"1", b"4"]


async def test_a_flush_waits_for_what_was_queued_before(broker: Broker) -> None:
    with broker.store.hub.write_lock:
        sent = broker.writer.send([Send("t", None, b"1", 0)])
        committed = broker.writer.commit(Commit("g", {("t", 0): 1}))
        flushed = asyncio.create_task(broker.writer.flush())
        await asyncio.sleep(0)
        assert not flushed.done()
    await flushed
    assert sent.done()
    assert committed.done()
    assert broker.store.committed("g") == {("t", 0): 1}
    await broker.writer.flush()


async def test_an_abandoned_sender_does_not_disturb_the_others(broker: Broker) -> None:
    with broker.store.hub.write_lock:
        abandoned = broker.writer.send([Send("t", None, b"1", 0)])
        abandoned.cancel()
        kept = broker.writer.send([Send("t", None, b"2", 0)])
    assert await kept == [(0, 1)]


async def test_a_process_opens_a_file_once_and_the_last_user_closes_it(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    first, second = Broker.acquire(path), Broker.acquire(path)
    assert first is second
    first.release()
    second.store.create_topic("t", 1)
    second.release()
    with pytest.raises(TransportError, match="is closed"):
        first.writer.send([Send("t", None, b"v")])
    again = Broker.acquire(path)
    assert "t" in again.store.topics()
    again.release()


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite://relative.db", "kafka://localhost", "/a/path", "sqlite:/a"])
def test_a_wrong_url_is_named(url: str) -> None:
    with pytest.raises(SettingsError, match="broker"):
        broker_path(url)


async def test_a_record_that_no_file_can_hold_fails_alone_and_the_writer_goes_on(broker: Broker) -> None:
    with broker.store.hub.write_lock:
        good = broker.writer.send([Send("t", None, b"1", 0)])
        bad = broker.writer.send([Send("t", None, b"2", 0, timestamp_ms=2**63)])
    assert await good == [(0, 0)]
    with pytest.raises(OverflowError):
        await bad
    async with asyncio.timeout(30):
        assert await broker.writer.send([Send("t", None, b"3", 0)]) == [(0, 1)]
