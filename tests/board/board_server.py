"""A board on loopback over a namespace of a test's own, with an archive and a broker of real files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from streams.archive import closing_archive, open_archive
from streams.board.context import Beside
from streams.board.server import BoardServer
from streams.namespaces import Kind, declare
from streams.records import Scored
from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from streams.wall_clock import wall_clock_ms
from tests.archive_news import crisis_news

__all__ = ["Served", "filled", "serving", "settings_in"]


@dataclass(frozen=True, slots=True)
class Served:
    """A running board, and a client whose paths start at its base."""

    server: BoardServer
    client: aiohttp.ClientSession


def settings_in(folder: Path, **changes: object) -> Settings:
    """Settings of a namespace `board` in `folder`, whose topics exist."""
    settings = Settings(data_dir=folder, namespace="board", board_port=0, http_port=0).changed(**changes)
    settings.home.mkdir(parents=True, exist_ok=True)
    with open_broker(settings.broker) as broker:
        broker.ensure_topics(topic_specs(settings))
        declare(broker, settings.topics, Kind.REPLAY, "finance")
    return settings


async def filled(settings: Settings, items: Sequence[Scored] | None = None) -> None:
    """Archives ten days of news with a crisis in it."""
    async with closing_archive(open_archive(settings.archive)) as archive:
        await archive.write_items(crisis_news() if items is None else items)


@asynccontextmanager
async def serving(
    settings: Settings, *, beside: Beside | None = None, clock: Callable[[], int] = wall_clock_ms
) -> AsyncIterator[Served]:
    """The board of the settings until the block ends."""
    async with (
        BoardServer(settings, kind=Kind.REPLAY, beside=beside, clock=clock) as server,
        aiohttp.ClientSession(server.address) as client,
    ):
        yield Served(server, client)
