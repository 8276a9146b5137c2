"""A replay through Kafka leaves what one through the embedded broker leaves, also when it is killed on the way."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from tests.integration.replays import Outcome, outcome, replay, replay_killed, sample_lines

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LINES = 700


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The start of the sample feed, and a broken record in it."""
    folder = tmp_path_factory.mktemp("feed")
    path = folder / "start.ndjson"
    lines = sample_lines(folder, LINES)
    path.write_bytes(b"".join([*lines[:300], b'{"title": \n', *lines[300:]]))
    return path


@pytest.fixture(scope="module")
def reference(feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("reference")
    replay(folder, feed, "start")
    return outcome(folder, "start")


@pytest.fixture
def kafka(kafka_url: str) -> dict[str, Any]:
    """Settings for topics of one's own, with several partitions."""
    return {
        "broker_url": kafka_url,
        "prefix": f"{uuid.uuid4().hex[:8]}.",
        "partitions": 2,
        "mentions_partitions": 3,
        "kafka_session_seconds": 6,
    }


def same(got: Outcome, want: Outcome) -> None:
    assert got.items == want.items
    assert got.rows == want.rows
    assert got.alerts == want.alerts
    assert got.rejects == want.rejects


def test_it_leaves_the_same_and_a_second_replay_changes_nothing(
    feed: Path, reference: Outcome, kafka: dict[str, Any], tmp_path: Path
) -> None:
    assert reference.stats.items > 500
    assert reference.rejects == 2  # the broken record, and one that has no date
    replay(tmp_path, feed, "start", **kafka)
    got = outcome(tmp_path, "start", **kafka)
    same(got, reference)
    assert got.stats == reference.stats
    replay(tmp_path, feed, "start", **kafka)
    assert outcome(tmp_path, "start", **kafka) == got


def test_two_kills_change_nothing(feed: Path, reference: Outcome, kafka: dict[str, Any], tmp_path: Path) -> None:
    assert replay_killed(tmp_path, feed, "start", (0.1, 0.4), **kafka) == 2
    same(outcome(tmp_path, "start", **kafka), reference)


@pytest.mark.parametrize("where", ["kafka", "embedded"])
def test_a_second_replay_into_a_namespace_is_refused_while_the_first_runs(
    where: str, request: pytest.FixtureRequest, feed: Path, tmp_path: Path
) -> None:
    more = request.getfixturevalue("kafka") if where == "kafka" else {}
    settings = Settings(data_dir=tmp_path, namespace="start", **more)
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics(topic_specs(settings))
        with broker.claim(settings.topics.group("replay"), settings.topics.control):
            refused = replay(tmp_path, feed, "start", check=False, **more)
        assert refused["exit"] != 0
        assert "another replay runs into namespace start" in " ".join(refused["stderr"].split())
        assert list(broker.scan(settings.topics.news)) == []
    assert replay(tmp_path, feed, "start", **more)["items"] > 500
