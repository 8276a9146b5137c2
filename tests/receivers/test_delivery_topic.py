"""Alerts to a topic, on both brokers: CloudEvents that their library reads."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cloudevents.v1.kafka import KafkaMessage, from_binary

from alerts.delivery import Delivered, Notification, RetryLater
from streams.receivers.topic import TopicChannel
from streams.transport.broker import Broker, TopicSpec, open_broker
from tests.alerts.delivery_event import NOW_MS, delivery_event

EVENT = delivery_event("a1")


@pytest.fixture
def topic(unique_topic: Callable[[str], str]) -> str:
    return unique_topic("alerts.out")


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.integration)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "kafka":
        return str(request.getfixturevalue("kafka_url"))
    return f"sqlite://{tmp_path.resolve()}/broker.db"


async def test_records_are_cloudevents_of_one_key_an_alert_in_order(address: str, topic: str) -> None:
    channel = TopicChannel(lambda: open_broker(address), topic, source="//moodwire.example/live")
    over = msgspec.structs.replace(EVENT, revision=2, change="resolved", state="resolved")
    for event in (EVENT, over):
        assert await channel.notify(Notification(event), NOW_MS) == Delivered()
    await channel.aclose()
    with open_broker(address) as broker:
        records = list(broker.scan(topic))
    found = [
        from_binary(KafkaMessage(dict(one.headers), one.key or b"", one.value or b""), data_unmarshaller=json.loads)
        for one in records
    ]
    assert [one["id"] for one in found] == ["a1.1", "a1.2"]
    assert [one["type"] for one in found] == ["moodwire.alert.opened", "moodwire.alert.resolved"]
    assert {(one["source"], one["subject"]) for one in found} == {("//moodwire.example/live", "a1")}
    assert {one.key for one in records} == {b"a1"}
    assert found[0].data == json.loads(EVENT.to_json())


async def test_a_topic_that_exists_keeps_its_partitions(address: str, topic: str) -> None:
    with open_broker(address) as broker:
        broker.ensure_topics([TopicSpec(topic, partitions=3)])
    channel = TopicChannel(lambda: open_broker(address), topic)
    assert await channel.notify(Notification(EVENT), NOW_MS) == Delivered()
    await channel.aclose()
    with open_broker(address) as broker:
        assert broker.topic(topic).partitions == 3


async def test_a_broker_that_hangs_has_one_attempt_and_no_more_threads(tmp_path: Path) -> None:
    release, begun = threading.Event(), threading.Event()

    def hanging() -> Broker:
        begun.set()
        release.wait(60)
        return open_broker(f"sqlite://{tmp_path.resolve()}/broker.db")

    channel = TopicChannel(hanging, "out", timeout_seconds=0.05)
    first = await channel.notify(Notification(EVENT), NOW_MS)
    assert isinstance(first, RetryLater)
    assert "no answer in 0.05 s" in first.problem
    again = await channel.notify(Notification(EVENT, 2), NOW_MS)
    assert isinstance(again, RetryLater)
    assert "has not ended" in again.problem
    assert begun.is_set()
    release.set()
    async with asyncio.timeout(60):
        while not isinstance(await channel.notify(Notification(EVENT, 3), NOW_MS), Delivered):  # noqa: ASYNC110  # a thread ends
            await asyncio.sleep(0.01)
    await channel.aclose()
