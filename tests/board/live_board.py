"""A board over a live namespace, with a worker of `deliver` beside it that judges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from streams.board.server import BoardServer
from streams.namespaces import Kind
from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from tests.board.board_server import Served
from tests.board.streaming import listening
from tests.integration.test_decisions import publish, worker
from tests.stages.deliver_harness import FakeReceiver

__all__ = ["asked", "board_of", "desk", "live_settings"]


def live_settings(folder: Path, **changes: object) -> Settings:
    """Settings of a live namespace in `folder`, whose topics exist."""
    settings = Settings(data_dir=folder, namespace="desk", board_port=0, http_port=0).changed(**changes)
    settings.home.mkdir(parents=True, exist_ok=True)
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics(topic_specs(settings))
    return settings


@asynccontextmanager
async def board_of(settings: Settings, kind: Kind = Kind.LIVE) -> AsyncIterator[Served]:
    """The board alone."""
    async with BoardServer(settings, kind=kind) as server, aiohttp.ClientSession(server.address) as client:
        yield Served(server, client)


@asynccontextmanager
async def desk(settings: Settings, *alerts: str, kind: Kind = Kind.LIVE) -> AsyncIterator[Served]:
    """A board, and a worker of `deliver` that has judged the alerts."""
    with open_broker(settings.broker, settings.kafka) as broker:
        publish(broker, settings, *alerts)
    async with worker(settings, FakeReceiver("desk"), kind), board_of(settings, kind) as board:
        async with asyncio.timeout(30), listening(f"{board.server.address}v1/stream?topics=alerts") as heard:
            judge = board.server.live.judge
            while not set(alerts) <= set(judge.state().alerts):
                await heard.block()
        yield board


async def asked(board: Served, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Status and JSON of an answer; `If_Match="*"` is the header If-Match."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with board.client.request(method, path, json=body, headers=named) as answer:
        return answer.status, await answer.json(content_type=None)
