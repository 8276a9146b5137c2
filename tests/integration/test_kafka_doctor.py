"""`doctor`'s checks on a real cluster: well where all is well, and each thing that is wrong is named."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from kafka import TopicPartition

from streams.engine.ports import Send
from streams.errors import TransportError
from streams.limits import RECORD_BYTES, needed_bytes
from streams.transport.broker import TopicSpec
from streams.transport.kafka import checks
from streams.transport.kafka.client import KafkaBroker
from streams.transport.kafka.cluster import TopicFacts
from streams.transport.kafka.options import KafkaOptions
from streams.wall_clock import wall_clock_ms

pytestmark = pytest.mark.integration


@pytest.fixture
def broker(kafka_url: str) -> Iterator[KafkaBroker]:
    with KafkaBroker(kafka_url, KafkaOptions()) as broker:
        yield broker


def set_and_await(broker: KafkaBroker, topic: str, settings: dict[str, str]) -> None:
    broker.cluster.configure(topic, settings)
    deadline = time.monotonic() + 10
    while not settings.items() <= broker.cluster.configs([topic])[topic].items() and time.monotonic() < deadline:
        time.sleep(0.05)  # a change takes a moment to be told


@pytest.fixture
def specs(broker: KafkaBroker, unique_topic: object) -> list[TopicSpec]:
    assert callable(unique_topic)
    specs = [TopicSpec(unique_topic("news"), 2, retention_ms=3_600_000), TopicSpec(unique_topic("rows"), 2, True)]
    broker.ensure_topics(specs)
    return specs


def test_all_is_well_with_what_moodwire_made_itself(broker: KafkaBroker, specs: list[TopicSpec]) -> None:
    assert "1 broker at 127.0.0.1" in checks.check_cluster(broker.cluster)
    assert "2 topics as they should be" in checks.check_topics(broker.cluster, specs, [specs[1].name])
    assert "may READ, WRITE, DESCRIBE 2 topics" in checks.check_permissions(broker.cluster, specs)
    assert "ms of the cluster's" in checks.check_clock(broker.cluster)
    groups = [("no.group", specs[0].name), ("no.group", "no-such-topic")]
    assert "no stage" in checks.check_retention(broker, groups, wall_clock_ms())


def test_topics_that_are_not_there_are_named_and_no_problem(broker: KafkaBroker) -> None:
    found = checks.check_topics(broker.cluster, [TopicSpec("never-made")], [])
    assert "not made yet" in found
    assert "never-made" in found


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"unclean.leader.election.enable": "true"}, "unclean.leader.election.enable=false"),
        ({"min.insync.replicas": "2"}, "lets nothing be sent"),
        ({"cleanup.policy": "delete"}, "cleanup.policy=compact"),
        ({"min.compaction.lag.ms": "0"}, "min.compaction.lag.ms=0"),
        ({"max.message.bytes": "500000"}, r"500,000 bytes.*set max.message.bytes=\d+"),
    ],
)
def test_a_dangerous_setting_is_named(
    broker: KafkaBroker, specs: list[TopicSpec], settings: dict[str, str], named: str
) -> None:
    rows = specs[1].name
    set_and_await(broker, rows, settings)
    with pytest.raises(TransportError, match=named):
        checks.check_topics(broker.cluster, specs[:1], [rows])


def test_a_topic_that_takes_less_than_is_sent_is_named_at_the_start_and_by_doctor(
    broker: KafkaBroker, specs: list[TopicSpec]
) -> None:
    news, needed = specs[0].name, needed_bytes(RECORD_BYTES)
    set_and_await(broker, news, {"max.message.bytes": str(needed - 1)})
    for ask in (lambda: broker.ensure_topics(specs), lambda: checks.check_topics(broker.cluster, specs, [])):
        with pytest.raises(TransportError, match=rf"{news}.*{needed - 1:,} bytes.*max.message.bytes={needed}"):
            ask()
    set_and_await(broker, news, {"max.message.bytes": str(needed)})
    broker.ensure_topics(specs)
    assert "as they should be" in checks.check_topics(broker.cluster, specs, [])


def test_acknowledged_by_one_replica_of_several_is_a_warning_with_the_fix() -> None:
    facts = [TopicFacts(name, 1, "e", replicas, frozenset()) for name, replicas in (("a", 3), ("b", 3), ("c", 1))]
    configs = {"a": {"min.insync.replicas": "1"}, "b": {"min.insync.replicas": "2"}, "c": {}}
    warning = checks.durability(facts, configs)
    assert "warning: a acknowledge" in warning
    assert "min.insync.replicas=2" in warning
    assert checks.durability(facts[1:], configs) == ""


def test_other_partitions_than_the_settings_ask_for_are_named(broker: KafkaBroker, specs: list[TopicSpec]) -> None:
    asked = [TopicSpec(specs[0].name, 3)]
    with pytest.raises(TransportError, match=r"has 2 partitions .* ask for 3 .*MOODWIRE_PARTITIONS"):
        checks.check_topics(broker.cluster, asked, [])
    with pytest.raises(TransportError, match="MOODWIRE_PARTITIONS"):
        broker.ensure_topics(asked)


def test_a_stage_that_retention_is_about_to_pass_is_named(broker: KafkaBroker, specs: list[TopicSpec]) -> None:
    news = specs[0].name
    broker.append([Send(news, b"k", b"%d" % n, 0) for n in range(10)])
    group = f"{news}.score"
    broker.cluster.admin(lambda admin: admin.alter_group_offsets(group, _offsets(news, 4)))
    now_ms = wall_clock_ms()
    assert broker.late(now_ms, [(group, news)]) == []
    [late] = broker.late(now_ms + 3_000_000, [(group, news)])
    assert (late.partition, late.records, late.lost) == (0, 6, False)
    with pytest.raises(TransportError, match=r"about to lose 6 records"):
        checks.check_retention(broker, [(group, news)], now_ms + 3_000_000)


def test_a_stage_that_has_not_read_yet_is_named_as_well(broker: KafkaBroker, specs: list[TopicSpec]) -> None:
    news = specs[0].name
    broker.append([Send(news, b"k", b"%d" % n, 0) for n in range(10)])
    groups, now_ms = [(f"{news}.score", news)], wall_clock_ms()
    assert broker.late(now_ms, groups) == []
    [late] = broker.late(now_ms + 3_000_000, groups)
    assert (late.partition, late.records, late.lost) == (0, 10, False)
    broker.cluster.admin(lambda admin: admin.delete_records({TopicPartition(news, 0): 4}))
    [late] = broker.late(now_ms, groups)
    assert (late.partition, late.records, late.lost) == (0, 4, True)
    with pytest.raises(TransportError, match=r"lost 4 records"):
        checks.check_retention(broker, groups, now_ms)


def _offsets(topic: str, offset: int) -> dict[object, object]:
    from kafka.structs import OffsetAndMetadata

    return {TopicPartition(topic, 0): OffsetAndMetadata(offset, "", -1)}


def test_retention_follows_the_settings(broker: KafkaBroker, specs: list[TopicSpec]) -> None:
    news = specs[0].name
    broker.ensure_topics([TopicSpec(news, 2, retention_ms=7_200_000)])
    assert broker.cluster.configs([news])[news]["retention.ms"] == "7200000"
