"""`moodwire archive rebuild-state`: state and alerts counted again from the archive are those that were there."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alerts.delivery import Status
from streams.archive import open_archive
from streams.jobs.resend import read_deliveries
from streams.settings import Settings
from streams.text.profile import load_profile
from streams.transport.broker import open_broker
from tests.integration.replays import Outcome, command, environment, moodwire, outcome, replay

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAMESPACE = "start"
GLAD = "{head: sentiment, labels: [positive], entity_head: entity}"


def rebuild_state(folder: Path, **given: Any) -> int:
    done = moodwire(folder, "archive", "rebuild-state", "-n", NAMESPACE, "--json", **given)
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout.splitlines()[-1])["items"])


@contextmanager
def running(folder: Path, **given: Any) -> Iterator[tuple[subprocess.Popen[str], Settings]]:
    """watch and deliver, until they are stopped as an operator stops them."""
    process = subprocess.Popen(
        command("run", "--replay", "-s", "watch", "-s", "deliver", "-n", NAMESPACE),
        env=environment(folder, http_port=0, **given),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, Settings(data_dir=folder, namespace=NAMESPACE, **given)
    finally:
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 0, stderr[-4000:]


def drain(folder: Path, **given: Any) -> None:
    with running(folder, **given) as (process, settings):
        wait_for(process, settings)


def wait_for(process: subprocess.Popen[str], settings: Settings) -> None:
    topics = settings.topics
    deadline = time.monotonic() + 120
    with open_broker(settings.broker, settings.kafka) as broker:
        while any(broker.lag(topics.group(stage), topics.sources[stage]) for stage in ("watch", "deliver")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)  # another process: there is no event to wait for
        while any(known.plan.status is Status.WAITING for known in read_deliveries(broker, topics)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)


def delivered(folder: Path) -> list[str]:
    return (folder / "alerts.ndjson").read_text().splitlines()


def same(got: Outcome, want: Outcome) -> None:
    assert got.rows == want.rows
    assert got.alerts == want.alerts
    assert got.items == want.items
    assert got.stats == want.stats


def test_rows_and_alerts_are_those_before_and_nothing_is_sent_again(feed: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"partitions": 2, "alerts_file": tmp_path / "alerts.ndjson"}
    replay(tmp_path, feed, NAMESPACE, **given)
    want, sent = outcome(tmp_path, NAMESPACE, **given), delivered(tmp_path)
    assert len(want.rows) > 100
    assert want.alerts
    assert sent
    for _ in range(2):  # the rebuilt state can be rebuilt
        assert rebuild_state(tmp_path, **given) == want.stats.items + want.stats.revisions
        drain(tmp_path, **given)
        same(outcome(tmp_path, NAMESPACE, **given), want)
    assert delivered(tmp_path) == sent
    replay(tmp_path, feed, NAMESPACE, **given)  # `score` goes on where it was, and nothing is counted twice
    same(outcome(tmp_path, NAMESPACE, **given), want)


def test_on_kafka_and_elasticsearch(
    feed: Path, tmp_path: Path, kafka_url: str, elastic_url: str, elastic_prefix: str
) -> None:
    given: dict[str, Any] = {
        "broker_url": kafka_url,
        "prefix": f"{uuid.uuid4().hex[:8]}.",
        "partitions": 2,
        "mentions_partitions": 2,
        "kafka_session_seconds": 6,
        "archive_url": elastic_url,
        "archive_prefix": elastic_prefix,
        "archive_replicas": 0,
        "alerts_file": tmp_path / "alerts.ndjson",
    }
    replay(tmp_path, feed, NAMESPACE, **given)
    want, sent = outcome(tmp_path, NAMESPACE, **given), delivered(tmp_path)
    assert want.alerts
    assert rebuild_state(tmp_path, **given) == want.stats.items + want.stats.revisions
    with running(tmp_path, **given) as (process, settings):
        wait_for(process, settings)
        refused = moodwire(tmp_path, "archive", "rebuild-state", "-n", NAMESPACE, **given)
        assert refused.returncode == 1
        assert "stop them first" in refused.stderr
    same(outcome(tmp_path, NAMESPACE, **given), want)
    assert delivered(tmp_path) == sent


def test_a_signal_that_is_added_is_counted_from_the_archive(feed: Path, tmp_path: Path) -> None:
    """As if it had been watched from the start, also where its name is new to the archive."""
    profile = Path(shutil.copytree(load_profile("finance").folder, tmp_path / "own"))
    given: dict[str, Any] = {"profile": str(profile), "alerts_file": tmp_path / "alerts.ndjson"}
    replay(tmp_path / "before", feed, NAMESPACE, **given)
    declared, rules = profile / "profile.yaml", profile / "alerts.yaml"
    declared.write_text(declared.read_text().replace("\nseries:", f"\n  glad: {GLAD}\n\nseries:"))
    rules.write_text(rules.read_text().replace("signals: [negative]", "signals: [negative, glad]"))
    replay(tmp_path / "from the start", feed, NAMESPACE, **given)
    want = outcome(tmp_path / "from the start", NAMESPACE, **given)
    assert any(key.split("|s/")[-1].startswith("s/glad/") for key in want.rows)
    rebuild_state(tmp_path / "before", **given)
    drain(tmp_path / "before", **given)
    got = outcome(tmp_path / "before", NAMESPACE, **given)
    assert got.rows == want.rows
    assert want.alerts.keys() <= got.alerts.keys(), "states that were archived before stay"
    assert all(got.alerts[key] == body for key, body in want.alerts.items() if body["signal"] == "glad")


def test_it_is_refused_while_a_worker_runs(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, namespace=NAMESPACE)
    asyncio.run(open_archive(settings.archive, settings.elastic).close())
    with open_broker(settings.broker) as broker, broker.held([settings.topics.group("watch")]):
        refused = moodwire(tmp_path, "archive", "rebuild-state", "-n", NAMESPACE)
        assert broker.names(settings.topics.name("")) == []
    assert refused.returncode == 1
    assert f"process {os.getpid()}" in refused.stderr
    assert moodwire(tmp_path, "archive", "rebuild-state", "-n", NAMESPACE).returncode == 0
