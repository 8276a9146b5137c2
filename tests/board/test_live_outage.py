"""A Kafka broker that dies under a stream: the stream stays, with heartbeats, and goes on without a gap."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.board.live.live import Live
from streams.board.live.sse import StreamLimits
from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from tests.board.streaming import listening, serving
from tests.board.test_live_topics import by_id, ids, score, wanted
from tests.integration.kafka_server import KafkaServer, KafkaUnavailable, running_kafka
from tests.system_needs import in_ci

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.usefixtures("collected"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KafkaServer]:
    """A broker of its own, for it is killed."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    try:
        with running_kafka(folder) as server:
            yield server
    except KafkaUnavailable as reason:
        if in_ci():
            pytest.fail(f"no Kafka, and CI=true: {reason}")
        pytest.skip(f"NO KAFKA, its tests are skipped: {reason}")


async def test_a_stream_outlives_its_broker(server: KafkaServer, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, namespace="desk", broker_url=f"kafka://{server.bootstrap}", http_port=0)
    with open_broker(settings.broker, settings.kafka) as broker:
        await asyncio.to_thread(broker.ensure_topics, topic_specs(settings))
        quick = StreamLimits(heartbeat_seconds=0.3)
        async with Live(settings, by_id) as live, serving(live.hub, quick) as url, listening(url) as one:
            while "items" not in live.hub.position:  # noqa: ASYNC110  # it follows in a thread of its own
                await asyncio.sleep(0.02)
            await asyncio.to_thread(score, broker, settings, 0)
            assert await ids(one, 1) == wanted(0)
            await asyncio.to_thread(server.kill)
            for _ in range(10):
                await one.heartbeat()
            await asyncio.to_thread(server.start)
            await asyncio.to_thread(score, broker, settings, 1, 2)
            assert sorted(await ids(one, 2)) == sorted(wanted(1, 2))
