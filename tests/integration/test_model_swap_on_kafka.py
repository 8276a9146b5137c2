"""On Kafka, with real workers: a promotion changes each partition at one offset, also when the worker is killed."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models import shipped
from models.artifact import MANIFEST
from streams.archive import open_archive
from streams.engine.ports import Send
from streams.records import News, Scored
from streams.serving.versions import VersionRow
from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.broker import Broker, open_broker
from tests.integration.replays import command, environment

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MODEL = "finance-en-minilm-int8"
PARTITIONS = 3
BATCH = 45
DEADLINE_SECONDS = 240


@pytest.fixture
def world(kafka_url: str, tmp_path: Path) -> Settings:
    settings = Settings(
        data_dir=tmp_path,
        namespace="swap",
        broker_url=kafka_url,
        prefix=f"{uuid.uuid4().hex[:8]}.",
        partitions=PARTITIONS,
        kafka_session_seconds=6,
        control_seconds=0.2,
        run_records=20,
        http_port=0,
    )
    copy = Path(shutil.copytree(shipped(MODEL), tmp_path / "next"))
    manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    (copy / MANIFEST).write_text(json.dumps(manifest | {"version": "9.0.0"}), encoding="utf-8")
    moodwire(settings, "model", "add", str(copy))
    settings.home.mkdir(parents=True)
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics(topic_specs(settings))
    return settings


def given(settings: Settings) -> dict[str, str]:
    names = (
        "broker_url",
        "prefix",
        "partitions",
        "kafka_session_seconds",
        "control_seconds",
        "run_records",
        "http_port",
    )
    return environment(settings.data_dir, **{name: getattr(settings, name) for name in names})


def moodwire(settings: Settings, *arguments: str) -> str:
    done = subprocess.run(command(*arguments), env=given(settings), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def worker(settings: Settings) -> subprocess.Popen[bytes]:
    words = command("run", "-s", "score", "-n", settings.namespace)
    return subprocess.Popen(words, env=given(settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def publish(broker: Broker, settings: Settings, first: int) -> int:
    """A batch over all partitions; the number after it."""
    sends = []
    for number in range(first, first + BATCH):
        news = News(
            id=f"{number:032x}",
            content="c",
            title=f"Maker {number} warns",
            source="wire",
            seen_ms=1_750_000_000_000 + number,
            language="en",
        )
        sends.append(Send(settings.topics.news, None, msgspec.json.encode(news), number % PARTITIONS))
    broker.append(sends)
    return first + BATCH


def waited(broker: Broker, settings: Settings, records: int) -> None:
    """Until no more than so many records wait for `score`."""
    ends = time.monotonic() + DEADLINE_SECONDS
    while broker.lag(settings.topics.group("score"), settings.topics.news) > records:
        assert time.monotonic() < ends, "the worker does not come to the end"
        time.sleep(0.2)


def test_each_partition_changes_at_one_offset_and_nothing_is_lost_or_scored_twice(world: Settings) -> None:
    running = [worker(world)]
    try:
        with open_broker(world.broker, world.kafka) as broker:
            published = publish(broker, world, 0)
            waited(broker, world, 0)
            moodwire(world, "model", "promote", MODEL, "9.0.0", "--force", "a test", "-n", world.namespace)
            for turn in range(8):
                published = publish(broker, world, published)
                time.sleep(0.3)
                if turn == 3:
                    running[-1].send_signal(signal.SIGKILL)
                    running[-1].wait()
                    running.append(worker(world))
            waited(broker, world, 0)
            running[-1].terminate()
            assert running[-1].wait(60) == 0
            rows = _rows(broker, world)
            told = [msgspec.json.decode(one.value or b"", type=Scored) for one in broker.scan(world.topics.scored)]
    finally:
        for process in running:
            process.kill()
            process.wait()
    items = {item.news.id: item for item in asyncio.run(_items(world))}
    assert len(items) == published
    swaps = 0
    for partition, row in rows.items():
        [(epoch, lines)] = row.epochs.items()
        swaps += len(lines) == 2
        own = [item for item in items.values() if item.position.partition == partition]
        for item in own:
            line = row.covering(epoch, item.position.offset, item.position.offset)[0]
            assert item.model_version == line.active.models["en"][1]
    assert swaps == PARTITIONS, "every partition has changed, once"
    assert {item.model_version for item in items.values()} == {"9.0.0", _shipped_version()}
    assert {one.news.id for one in told} == set(items)
    assert all(one.model_version == items[one.news.id].model_version for one in told), "a redo took the same version"


def _shipped_version() -> str:
    version: str = json.loads((shipped(MODEL) / MANIFEST).read_text(encoding="utf-8"))["version"]
    return version


def _rows(broker: Broker, settings: Settings) -> dict[int, VersionRow]:
    records: Any = broker.scan(f"{settings.topics.group('score')}-models-changelog")
    last = {record.key: record.value for record in records}
    return {number: VersionRow.from_bytes(last[f"{number}|versions".encode()]) for number in range(PARTITIONS)}


async def _items(settings: Settings) -> list[Scored]:
    archive = open_archive(settings.archive, settings.elastic)
    try:
        return [
            item
            for epoch, partition in await archive.source_partitions()
            for item in await archive.items_after(epoch=epoch, partition=partition, after_offset=-1, limit=100_000)
        ]
    finally:
        await archive.close()
