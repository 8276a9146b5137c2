"""Servers that die, refuse, dawdle and forget to answer, and a topic that is made again."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest

from streams.engine.ports import Send
from tests.chaos.conftest import MakeWorld, Report
from tests.chaos.gate import Gate
from tests.chaos.workers import wait_until
from tests.chaos.world import PARTITIONS, World
from tests.integration.elastic_server import ElasticServer
from tests.integration.kafka_server import KafkaServer

REFUSALS = 30
LOST_ANSWERS = 6


@pytest.fixture
def gated(make_world: MakeWorld, gate: Gate, kafka_url: str, elastic_url: str) -> World:
    """A world whose workers reach Elasticsearch through the gate."""
    return make_world(kafka_url, elastic_url, gate.url)


def test_the_broker_killed(
    mortal_kafka: KafkaServer, make_world: MakeWorld, elastic_url: str, report: Report, long: bool
) -> None:
    away_seconds = 20 if long else 8
    world = make_world(f"kafka://{mortal_kafka.bootstrap}", elastic_url)
    feed = world.feed()
    before, after = feed.cut(0.5)
    world.publish(before)
    worker = world.start("only")
    worker.wait_for_runs(3)
    world.broker.close()  # kafka-python leaves the sockets that a dead broker refuses to the garbage collector
    mortal_kafka.kill()
    time.sleep(away_seconds)  # how long it is away is the scenario
    assert worker.process.poll() is None, worker.errors[-4000:]
    mortal_kafka.start()
    world.reopen()
    world.publish([*after, *feed.end])
    world.drain()
    report(f"broker killed for {away_seconds} s", world.judge())


@pytest.mark.chaos_long  # two starts of the server; refused, slow and lost answers are in the short form
def test_elasticsearch_killed(
    mortal_elastic: ElasticServer, make_world: MakeWorld, kafka_url: str, report: Report, long: bool
) -> None:
    away_seconds = 60 if long else 10
    world = make_world(kafka_url, mortal_elastic.url)
    feed = world.feed()
    world.publish([*feed.records, *feed.end])
    worker = world.start("only")
    worker.wait_for_runs(3)
    mortal_elastic.kill()
    time.sleep(away_seconds)  # how long it is away is the scenario
    assert worker.process.poll() is None, worker.errors[-4000:]
    assert world.lag() > 0
    mortal_elastic.start()
    world.drain()
    report(f"Elasticsearch killed for {away_seconds} s", world.judge())


def test_elasticsearch_answers_429(gated: World, gate: Gate, report: Report) -> None:
    feed = gated.feed()
    gated.publish([*feed.records, *feed.end])
    worker = gated.start("only")
    worker.wait_for_runs(3)
    gate.status = 429
    wait_until(lambda: gate.refused >= REFUSALS, f"{REFUSALS} requests refused")
    assert gated.lag() > 0
    gate.status = None
    gated.drain()
    report(f"Elasticsearch answers 429 ({gate.refused} times)", gated.judge())


def test_elasticsearch_is_slow_and_loses_answers(gated: World, gate: Gate, report: Report, long: bool) -> None:
    feed = gated.feed()
    gated.publish([*feed.records, *feed.end])
    worker = gated.start("only")
    worker.wait_for_runs(2)
    gate.delay_seconds = 1.0
    slow_from = gate.passed
    wait_until(lambda: gate.passed >= slow_from + (60 if long else 12), "slow answers")
    gate.delay_seconds, gate.loses = 0.0, True
    wait_until(lambda: gate.lost >= LOST_ANSWERS, f"{LOST_ANSWERS} answers lost")
    gate.loses = False
    gated.drain()
    report(f"Elasticsearch slow, {gate.lost} answers lost", gated.judge())


def test_the_archive_read_only(world: World, report: Report, long: bool) -> None:
    blocked_seconds = 30 if long else 6
    feed = world.feed()
    world.publish([*feed.records, *feed.end])
    worker = world.start("only")
    worker.wait_for_runs(4)
    _block_writes(world, blocked=True)
    wait_until(lambda: "write" in worker.errors, "the worker is told of the block")
    done = len(worker.done())
    time.sleep(blocked_seconds)  # how long it lasts is the scenario
    assert len(worker.done()) <= done + PARTITIONS  # of each one run may have had nothing more to store
    assert world.lag() > 0
    _block_writes(world, blocked=False)
    world.drain()
    report(f"archive read-only for {blocked_seconds} s", world.judge())


def _block_writes(world: World, *, blocked: bool) -> None:
    request = urllib.request.Request(
        f"{world.direct_url}/{world.settings.elastic.prefix}*/_settings",
        json.dumps({"index.blocks.write": blocked}).encode(),
        {"Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=60):
        pass


def test_the_topic_deleted_and_made_again(world: World, report: Report) -> None:
    feed = world.feed()
    before, after = feed.cut(0.5)
    poison = Send(world.settings.topics.news, None, b"stands first in both", 0, timestamp_ms=before[0].timestamp_ms)
    world.publish([poison, *before])
    worker = world.start("only")
    worker.wait_for_runs(1)
    world.drain()
    earlier = world.make_news_again()
    world.publish([poison, *after, *feed.end])
    world.drain()
    report("topic news deleted and made again", world.judge(earlier))


@pytest.mark.chaos_long  # every feed has a little of it
def test_poison(world: World, report: Report) -> None:
    feed = world.feed(poison=0.3)
    world.publish([*feed.records, *feed.end])
    world.start("only")
    world.drain()
    report("three records of ten are poison", world.judge())
