"""`moodwire.Client` against a real board: reading, acting, pushing, and following over a restart."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import Any, TypeVar

import msgspec
import pytest

from streams.board.server import BoardServer
from streams.engine.ports import Send
from streams.library.client import BoardError, Client, Event
from streams.settings import Settings
from streams.transport.broker import open_broker
from tests.archive_news import SERIES, crisis_news
from tests.board.board_server import filled
from tests.board.live_board import board_of, desk, live_settings
from tests.integration.ports import free_port

T = TypeVar("T")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return live_settings(tmp_path)


async def calling(server: BoardServer, work: Callable[[Client], T]) -> T:
    """What a program does beside the board's loop."""

    def call() -> T:
        with Client(server.address) as client:
            return work(client)

    return await asyncio.to_thread(call)


async def test_it_reads_what_the_archive_has(settings: Settings) -> None:
    await filled(settings, crisis_news()[:700])
    async with board_of(settings) as board:
        items = await calling(board.server, lambda client: list(client.search(series=SERIES, limit=20)))
        assert len({item["id"] for item in items}) == len(items) > 20
        points = await calling(board.server, lambda client: client.series(SERIES, bucket_ms=86_400_000))
        assert points["name"] == SERIES
        assert points["points"]
        with pytest.raises(BoardError, match="mode") as refused:
            await calling(board.server, lambda client: list(client.alerts(mode="open")))
        assert refused.value.status == 400


async def test_it_acknowledges_what_it_read_and_is_told_when_that_has_moved(settings: Settings) -> None:
    async with desk(settings, "a") as board:
        alert = {"id": "a", "version": 1}
        answer = await calling(board.server, lambda client: client.acknowledge(alert, hours=2, note="looking"))
        assert answer["outcome"] == "accepted"
        with pytest.raises(BoardError, match="version") as moved:
            await calling(board.server, lambda client: client.acknowledge(alert))
        assert moved.value.status == 412


async def test_it_pushes_in_parts_and_numbers_the_results_through(settings: Settings) -> None:
    news = [{"title": f"Headline {number}", "source": "wire"} for number in range(1_500)]
    news[1_200] = {"source": "wire"}
    async with board_of(settings) as board:
        results = await calling(board.server, lambda client: list(client.push(news)))
    assert [one["line"] for one in results] == list(range(1, 1_501))
    assert [one["line"] for one in results if one["status"] == "refused"] == [1_201]


async def test_it_follows_a_board_over_its_restart(settings: Settings) -> None:
    heard: Queue[Event] = Queue()
    settings = settings.changed(board_port=free_port())
    async with board_of(settings) as first:
        follower = threading.Thread(target=follow, args=(first.server.address, heard), daemon=True)
        follower.start()
        while not first.server.live.hub.readers:  # noqa: ASYNC110  # the server tells no one
            await asyncio.sleep(0.02)
        score(settings, 0, 1)
        assert [await title(heard) for _ in range(2)] == ["0", "1"]
    score(settings, 2)
    async with BoardServer(settings):
        score(settings, 3)
        assert [await title(heard) for _ in range(2)] == ["2", "3"]
        score(settings, 4)
        await asyncio.to_thread(follower.join, 20)


def follow(address: str, heard: Queue[Event]) -> None:
    with Client(address) as client:
        for event in client.follow("items"):
            if event.data.get("title") == "4":
                return
            heard.put(event)


async def title(heard: Queue[Event]) -> Any:
    event = await asyncio.to_thread(heard.get, True, 30)
    return event.data.get("title")


def score(settings: Settings, *numbers: int) -> None:
    items = crisis_news()
    with open_broker(settings.broker) as broker:
        for number in numbers:
            item = items[number]
            item.news.title = str(number)
            broker.append([Send(settings.topics.scored, b"k", msgspec.json.encode(item))])
