"""`moodwire run` on a real Kafka: ready, counted by partition, and at its end in time."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from streams.engine.ports import Send
from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from tests.integration.kafka_server import KafkaServer
from tests.integration.ports import free_port
from tests.integration.required import required_kafka
from tests.observe.test_run_operations import end, lag, publish, running, wait_until_ready

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_run_is_ready_counts_by_partition_and_ends_in_time(kafka_url: str, tmp_path: Path) -> None:
    port, prefix = free_port(), f"o{uuid.uuid4().hex[:8]}."
    settings = Settings(data_dir=tmp_path, broker_url=kafka_url, prefix=prefix, partitions=2, mentions_partitions=2)
    group, news = settings.topics.group("score"), settings.topics.news
    with open_broker(kafka_url, settings.kafka) as broker:
        broker.ensure_topics(topic_specs(settings))
        raws = [{"id": str(n), "title": f"Maker number {n} reports", "source": "wire"} for n in range(300)]
        broker.append([Send(news, b"%d" % n, msgspec.json.encode(raw)) for n, raw in enumerate(raws)])
        variables = {
            "MOODWIRE_BROKER_URL": kafka_url,
            "MOODWIRE_PREFIX": prefix,
            "MOODWIRE_PARTITIONS": "2",
            "MOODWIRE_MENTIONS_PARTITIONS": "2",
        }
        with running(tmp_path, port, **variables) as process:
            assert wait_until_ready(port)["stages"] == {"score": "up", "watch": "up", "deliver": "up"}
            deadline = time.monotonic() + 60
            while broker.lag(group, news):
                assert time.monotonic() < deadline
                time.sleep(0.2)  # another process: there is no event to wait for
            labels = [f'group="{group}",partition="{partition}",topic="{news}"' for partition in range(2)]
            expected = {f"moodwire_consumer_lag_records{{{each}}} 0.0" for each in labels}
            figures: set[str] = set()
            while not expected <= figures:  # it is asked every 5 s
                assert time.monotonic() < deadline, figures
                time.sleep(0.2)
                figures = set(httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines())
            _, errors, seconds = end(process)
    assert process.returncode == 0, errors
    assert seconds < 10, seconds
    assert 'moodwire_records_total{stage="score"} 300.0' in figures


def test_a_broker_that_is_away_is_told_waited_for_and_no_reason_to_stay(tmp_path: Path) -> None:
    port = free_port()
    with required_kafka(tmp_path / "kafka") as server:
        variables = {"MOODWIRE_BROKER_URL": f"kafka://{server.bootstrap}", "MOODWIRE_MENTIONS_PARTITIONS": "2"}
        with running(tmp_path, port, **variables) as process:
            wait_until_ready(port)
            server.kill()
            body = wait_for(port, lambda body: not body["ready"])
            assert "broker" in {trouble["reason"] for trouble in body["troubles"]}
            for path in ("health", "metrics"):  # the loop turns, and no thread of it is taken
                answer = httpx.get(f"http://127.0.0.1:{port}/{path}", timeout=5)
                assert answer.status_code == 200
            assert "moodwire_broker_up 0.0" in answer.text.splitlines()
            server.start()
            wait_for(port, lambda body: body["ready"] and not body["troubles"])
            kill_at_work(server, tmp_path, port)
            wait_for(port, lambda body: not body["ready"])
            _, errors, seconds = end(process)  # with a run in hand, which cannot be finished
    assert process.returncode == 0, errors[-3_000:]
    assert seconds < 10, seconds  # less where the run had failed already, and waited for its next attempt
    assert "Exception in thread" not in errors, errors[-3_000:]


def kill_at_work(server: KafkaServer, folder: Path, port: int) -> None:
    """Kills it when a part of many records has been worked off; again, until it had a run in hand then."""
    count = 20_000
    settings = Settings(broker_url=f"kafka://{server.bootstrap}", mentions_partitions=2, data_dir=folder)
    for _ in range(5):
        publish(settings, count)
        while lag(settings) >= count:
            time.sleep(0.05)  # another process: there is no event to wait for
        server.kill()
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
        if any(re.match(r"moodwire_runs_in_progress\{.* [1-9]", line) for line in metrics.splitlines()):
            return
        server.start()
        wait_for(port, lambda body: body["ready"] and not body["troubles"])
    pytest.fail("no run was in hand at any kill")


def wait_for(port: int, told: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What /ready answers as soon as it fits."""
    deadline = time.monotonic() + 90
    while True:
        body: dict[str, Any] = httpx.get(f"http://127.0.0.1:{port}/ready", timeout=5).json()
        if told(body):
            return body
        assert time.monotonic() < deadline, body
        time.sleep(0.2)
