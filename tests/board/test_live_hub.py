"""The hub and its streams: ids, resuming, bounds, and clients that do not read. No broker is needed."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientError
from hypothesis import given
from hypothesis import strategies as st

from streams.board.live.hub import FellBehind, Happening, Hub
from streams.board.live.position import decoded, encoded
from streams.board.live.sse import StreamLimits
from tests.board.streaming import Listener, listening, serving

QUICK = StreamLimits(heartbeat_seconds=0.1, stall_seconds=0.5)


def happening(offset: int, topic: str = "items", partition: int = 0, size: int = 0) -> Happening:
    data = json.dumps({"n": offset, "pad": "x" * size}).encode()
    return Happening(topic, partition, offset + 1, "item" if topic == "items" else "alert", data)


def hub_of(most_events: int = 2_000, most_bytes: int = 8 << 20) -> Hub:
    hub = Hub(most_events, most_bytes)
    hub.begin("items", "e1", {0: 0, 1: 0})
    hub.begin("alerts", "e2", {0: 0})
    return hub


def publish(hub: Hub, *offsets: int, topic: str = "items", partition: int = 0, size: int = 0) -> None:
    hub.publish([happening(offset, topic, partition, size) for offset in offsets], {})


async def numbers(listener: Listener, count: int) -> list[int]:
    return [one.data["n"] for one in await listener.events(count)]


async def ends(listener: Listener) -> bool:
    """Whether the server has closed the stream, once what was on its way is read."""
    try:
        while True:
            await listener.next()
    except (ClientError, EOFError, OSError):
        return True


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda one: one.decode("latin-1")))
def test_any_text_is_an_id_or_none(text: str) -> None:
    found = decoded(text)
    assert found is None or decoded(encoded(found)) == found


def test_a_position_comes_back_from_its_id() -> None:
    position = {"items": ("epoch", {0: 7, 31: 2**44}), "alerts": ("é", {0: 0})}
    assert decoded(encoded(position)) == position
    assert decoded("A" * 100_000) is None


async def test_a_client_gets_what_it_asked_for_and_goes_on_where_it_was() -> None:
    hub = hub_of()
    async with serving(hub) as url:
        async with listening(url) as one, listening(f"{url}?topics=alerts") as other:
            await asyncio.gather(one.block(), other.block())  # the opening block: both are subscribed
            publish(hub, 0, 1)
            publish(hub, 5, topic="alerts")
            publish(hub, 0, partition=1)
            assert await numbers(one, 4) == [0, 1, 5, 0]
            assert await numbers(other, 1) == [5]
            assert one.headers["X-Accel-Buffering"] == "no"
            assert one.headers["Content-Type"].startswith("text/event-stream")
            last = other.last_id
        publish(hub, 6, topic="alerts")
        publish(hub, 2)
        async with listening(url, last) as again:
            assert await numbers(again, 3) == [0, 6, 2]  # what came behind the id, of both topics
        async with listening(f"{url}?topics=alerts", last) as again:
            assert await numbers(again, 1) == [6]


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("nonsense", "unknown_id"),
        (encoded({"items": ("of before", {0: 1, 1: 0}), "alerts": ("e2", {0: 0})}), "unknown_id"),
        (encoded({"items": ("e1", {0: 1}), "alerts": ("e2", {0: 0})}), "unknown_id"),
        (encoded({"items": ("e1", {0: 1, 1: 0}), "alerts": ("e2", {0: 0})}), "too_old"),
        (encoded({"items": ("e1", {0: 2**40, 1: 0}), "alerts": ("e2", {0: 0})}), "ahead"),
    ],
)
async def test_an_id_that_cannot_be_continued_is_answered_by_resync(last: str, reason: str) -> None:
    hub = hub_of(most_events=3)
    publish(hub, *range(10))
    async with serving(hub) as url, listening(url, last) as one:
        first = await one.next()
        assert (first.name, first.data, first.id) == ("resync", {"reason": reason}, hub.position_id)
        publish(hub, 10)
        assert await numbers(one, 1) == [10]


async def test_an_id_of_a_board_that_is_a_little_ahead_is_waited_for() -> None:
    hub = hub_of()
    last = encoded({"items": ("e1", {0: 2, 1: 0}), "alerts": ("e2", {0: 0})})
    async with serving(hub) as url, listening(url, last) as one:
        await one.block()
        publish(hub, 0, 1, 2, 3)
        assert await numbers(one, 2) == [2, 3]


async def test_heartbeats_carry_the_position_of_what_had_no_event() -> None:
    hub = hub_of()
    async with serving(hub, QUICK) as url, listening(url) as one:
        await one.heartbeat()
        hub.publish([], {("alerts", 0): 40})
        await one.heartbeat()
        await one.heartbeat()
        assert decoded(one.last_id) == hub.position
        assert hub.position["alerts"] == ("e2", {0: 40})


async def test_status_comes_at_once_and_when_it_changes() -> None:
    hub = hub_of()
    hub.report_status(b'{"open_alerts":1}')
    async with serving(hub) as url, listening(url) as one, listening(f"{url}?topics=items") as other:
        assert (await one.next()).data == {"open_alerts": 1}
        hub.report_status(b'{"open_alerts":1}')
        hub.report_status(b'{"open_alerts":2}')
        assert (await one.next()).data == {"open_alerts": 2}
        publish(hub, 0)
        assert (await other.next()).name == "item"


async def test_a_topic_that_is_followed_anew_makes_readers_begin_anew() -> None:
    hub = hub_of()
    async with serving(hub) as url, listening(url) as one:
        await one.block()
        publish(hub, 0)
        assert await numbers(one, 1) == [0]
        hub.begin("items", "e3", {0: 0})
        publish(hub, 0)
        assert [heard.name for heard in await one.events(2)] == ["resync", "item"]


def test_the_ring_is_bounded_in_events_and_bytes() -> None:
    hub = hub_of(most_events=100, most_bytes=50_000)
    publish(hub, *range(1_000))
    assert hub.kept_bytes < 50_000
    publish(hub, *range(1_000, 1_010), size=20_000)
    assert hub.kept_bytes < 50_000 + 20_500
    with hub.reading(["items"]) as reader:
        publish(hub, *range(2_000, 2_200))
        with pytest.raises(FellBehind):
            hub.take(reader, 1 << 20)
    assert hub.readers == 0


async def test_a_client_that_does_not_read_is_closed_and_delays_no_other() -> None:
    hub = hub_of(most_events=10_000, most_bytes=1 << 30)
    async with serving(hub, QUICK) as url, AsyncExitStack() as stack:
        stuck = await stack.enter_async_context(listening(url))
        reading = await stack.enter_async_context(listening(url))
        await reading.block()
        for begin in range(0, 4_000, 100):  # 40 MB: more than the sockets of a client hold
            publish(hub, *range(begin, begin + 100), size=10_000)
            assert (await numbers(reading, 100))[-1] == begin + 99
        async with asyncio.timeout(20):
            while hub.readers > 1:  # noqa: ASYNC110  # the server tells no one
                await asyncio.sleep(0.05)
        assert await ends(stuck)
        publish(hub, 9_999)
        assert await numbers(reading, 1) == [9_999]


async def test_streams_end_with_the_hub() -> None:
    hub = hub_of()
    async with serving(hub) as url, listening(url) as one:
        await one.block()
        hub.close()
        with pytest.raises(EOFError):
            await one.next()
    assert hub.readers == 0


async def test_two_hundred_streams_share_one_ring() -> None:
    hub = hub_of(most_events=400)
    async with serving(hub) as url, AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(listening(url)) for _ in range(200)]
        await asyncio.gather(*(one.block() for one in listeners))
        for begin in range(0, 600, 200):
            publish(hub, *range(begin, begin + 200), size=100)
            found = await asyncio.gather(*(numbers(one, 200) for one in listeners))
            assert all(numbers == list(range(begin, begin + 200)) for numbers in found)
        assert hub.kept_bytes < 400 * 400
    assert hub.readers == 0
