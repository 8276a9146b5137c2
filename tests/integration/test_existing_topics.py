"""Topics that others made, on a real Kafka: read and written under their own names, whatever else is in them, and never
changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaProducer

from streams.app import STAGES, Pipeline
from streams.archive.memory import MemoryArchive
from streams.engine.ports import Send
from streams.errors import ReplayRefused, SettingsError, TransportError
from streams.existing import known_namespaces, open_existing
from streams.feeds.fieldmap import FieldMap
from streams.jobs.replay import replay_file
from streams.jobs.retry import read_rejects, retry_rejects
from streams.records import Scored
from streams.settings import Settings
from streams.topics import NAMED, topic_specs
from streams.transport.broker import TopicSpec, open_broker
from streams.transport.kafka import checks
from streams.transport.kafka.client import KafkaBroker
from streams.transport.kafka.options import KafkaOptions
from streams.transport.stages import run_stages
from tests.stages.test_score_stage import CLASSIFIER

pytestmark = pytest.mark.integration

PARTITIONS = {"news": 3, "scored": 2, "alerts": 2, "rejects": 2}
THEIRS = {"retention.ms": "7200000", "max.message.bytes": "1048588", "message.timestamp.type": "CreateTime"}
TRACE = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
JUNK: tuple[bytes | None, ...] = (b"\x00\xff\x01", b'{"orderId": 9007199254740993}', b'"text"', None, b"")


@pytest.fixture
def broker(kafka_url: str) -> Iterator[KafkaBroker]:
    with KafkaBroker(kafka_url, KafkaOptions()) as broker:
        yield broker


@pytest.fixture
def settings(broker: KafkaBroker, unique_topic: Callable[[str], str], tmp_path: Path) -> Settings:
    """A namespace whose four public topics were made by somebody else."""
    names = {topic: unique_topic(topic) for topic in NAMED}
    for topic, name in names.items():
        broker.cluster.create({name: {"num_partitions": PARTITIONS[topic], "replication_factor": 1, "configs": THEIRS}})
    return Settings(
        data_dir=tmp_path,
        broker_url=broker.url,
        prefix=f"{unique_topic('p')}.",
        kafka_session_seconds=6,
        **{f"{topic}_topic": name for topic, name in names.items()},  # type: ignore[arg-type]
    )


def publish(settings: Settings, bootstrap: str) -> int:
    """News with keys of every kind and headers, and other records between them; how many are news."""
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    keys = (b"DE0007164600", None, "schlüssel".encode(), b"\x00\xfe")
    for number in range(40):
        news = {"id": str(number), "title": f"Maker number {number} reports a loss", "source": "wire"}
        headers = [TRACE, ("empty", b""), ("moodwire-end", b"9000000000000000")]
        producer.send(settings.news_topic, json.dumps(news).encode(), keys[number % 4], headers=headers)
        if number % 8 == 0:
            junk = JUNK[number // 8]
            producer.send(settings.news_topic, junk, b"order-%d" % number, headers=[TRACE])
    producer.send(settings.alerts_topic, b'{"kind": "fire drill"}', b"k", headers=[TRACE])
    producer.send(settings.rejects_topic, b"not ours", b"k")
    producer.send(settings.scored_topic, b"not ours", None)
    producer.flush()
    producer.close()
    return 40


async def run_until(settings: Settings, done: Callable[[Pipeline], bool]) -> MemoryArchive:
    archive, stop = MemoryArchive(), asyncio.Event()
    async with Pipeline(settings, STAGES, channels=(), archive=archive, open_model=lambda *_: CLASSIFIER) as pipeline:

        async def watch() -> None:
            while not await asyncio.to_thread(done, pipeline):  # noqa: ASYNC110  # see below
                await asyncio.sleep(0.1)  # lag is asked of the cluster: there is no event to wait for
            stop.set()

        watching = asyncio.create_task(watch())
        try:
            async with asyncio.timeout(120):
                await run_stages(pipeline.jobs, until=stop)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    return archive


def drained(pipeline: Pipeline) -> bool:
    topics = pipeline.settings.topics
    return not any(pipeline.broker.lag(topics.group(stage), topic) for stage, topic in topics.sources.items())


async def test_topics_of_others_are_used_as_they_are(
    settings: Settings, broker: KafkaBroker, kafka_bootstrap: str
) -> None:
    names = [settings.topics.foreign(topic) for topic in NAMED]
    before = broker.cluster.configs(names)
    count = publish(settings, kafka_bootstrap)
    archive = await run_until(settings, drained)

    assert (await archive.stats()).items == count
    assert broker.cluster.configs(names) == before
    partitions = {topic: broker.topic(settings.topics.foreign(topic)).partitions for topic in NAMED}
    assert partitions == PARTITIONS
    own = broker.names(settings.prefix)
    assert not [name for name in own if name.endswith(tuple(f".{topic}" for topic in NAMED))], "no second one was made"

    values = [record.value for record in broker.scan(settings.scored_topic) if record.value != b"not ours"]
    scored = [msgspec.json.decode(value or b"", type=Scored) for value in values]
    assert {item.news.title for item in scored} == {f"Maker number {number} reports a loss" for number in range(count)}
    assert {item.position.partition for item in scored} <= {0, 1, 2}

    parked = read_rejects(broker, settings.topics)
    assert sorted(one.key_bytes() or b"" for one in parked) == [b"order-%d" % number for number in (0, 16, 24, 32, 8)]
    reasons = {int(key.removeprefix(b"order-")): one.reason for one in parked if (key := one.key_bytes())}
    assert [reasons[number] for number in (24, 32)] == ["no_value", "no_value"], "deleted keys, and an empty record"
    assert "no_value" not in {reasons[number] for number in (0, 8, 16)}
    assert all(one.sent_headers() == (TRACE,) for one in parked)
    assert {one.kind for one in parked} == {"news"}, "what others wrote to alerts is none of ours"
    assert all(one.position is not None and one.position.offset >= 0 for one in parked)


async def test_one_that_others_give_more_partitions_is_read_whole(settings: Settings, broker: KafkaBroker) -> None:
    """A worker that runs ends, for whoever supervises it to start it again; then all partitions are read."""

    def grown(pipeline: Pipeline) -> bool:
        if drained(pipeline):
            broker.cluster.extend(settings.news_topic, 5)
        return False

    with pytest.raises(TransportError, match=r"news-\w+ has 5 partitions, and had 3 when this worker started"):
        await run_until(settings, grown)
    values = [json.dumps({"id": str(number), "title": "Mill opens", "source": f"wire {number}"}) for number in range(5)]
    with open_broker(broker.url) as fresh:
        fresh.append([Send(settings.news_topic, None, values[number].encode(), number) for number in range(5)])
    archive = await run_until(settings, drained)
    assert (await archive.stats()).items == 5
    assert broker.topic(f"{settings.topics.group('score')}-models-changelog").partitions == 5


async def test_one_that_grows_while_its_worker_starts_ends_it_as_well(settings: Settings, broker: KafkaBroker) -> None:
    async with Pipeline(
        settings, STAGES, channels=(), archive=MemoryArchive(), open_model=lambda *_: CLASSIFIER
    ) as pipeline:
        broker.cluster.extend(settings.news_topic, 5)
        with pytest.raises(TransportError, match=r"news-\w+ has 5 partitions, and had 3 when this worker started"):
            async with asyncio.timeout(120):
                await run_stages(pipeline.jobs, until=asyncio.Event())


def test_a_retried_record_keeps_its_key_and_headers(settings: Settings, broker: KafkaBroker) -> None:
    from streams.errors import Reject
    from streams.feeds.rejects import Unprocessed, reject_send

    broker.ensure_topics(topic_specs(settings))
    raw, headers = b'{"title": "Mill closes", "source": "Post"}', (TRACE, ("moodwire-end", b"1"))
    why = Reject("no_title", "")
    parked = Unprocessed("news:0:7:e", "n", raw, key=b"k1", headers=headers)
    broker.append([reject_send(settings.rejects_topic, parked, why, at_ms=2)])
    retry_rejects(broker, settings.topics, read_rejects(broker, settings.topics), FieldMap.default(), now_ms=9)
    [record] = broker.scan(settings.news_topic)
    assert (record.key, record.headers) == (b"k1", (TRACE,))


def test_doctor_reports_what_they_are_like_and_what_is_missing(settings: Settings, broker: KafkaBroker) -> None:
    specs = topic_specs(settings)
    found = checks.check_topics(broker.cluster, specs, [])
    assert f"{settings.news_topic} (MOODWIRE_NEWS_TOPIC): 3 partitions, kept for 2 h" in found
    assert "not changed" in found
    assert "may READ, WRITE, DESCRIBE 4 topics" in checks.check_permissions(broker.cluster, specs)
    absent = topic_specs(settings.changed(news_topic="never-made"))
    for ask in (lambda: checks.check_topics(broker.cluster, absent, []), lambda: broker.ensure_topics(absent)):
        with pytest.raises(TransportError, match=r"never-made.*create it, or correct MOODWIRE_NEWS_TOPIC"):
            ask()
    assert broker.names("never-made") == []


def test_one_that_takes_less_than_is_sent_is_named_and_stays_as_it_is(
    settings: Settings, broker: KafkaBroker, unique_topic: Callable[[str], str]
) -> None:
    small = unique_topic("scored")
    config = {"max.message.bytes": "500000"}
    broker.cluster.create({small: {"num_partitions": 1, "replication_factor": 1, "configs": config}})
    with pytest.raises(TransportError, match=rf"{small} takes batches of 500,000 bytes"):
        broker.ensure_topics(topic_specs(settings.changed(scored_topic=small)))
    news = [TopicSpec(small, foreign="news")]
    broker.ensure_topics(news)  # what is only read may be of any size
    assert "as they should be" in checks.check_topics(broker.cluster, news, [])


async def test_a_replay_and_another_namespace_stay_out_of_them(settings: Settings, tmp_path: Path) -> None:
    feed = tmp_path / "news.ndjson"
    feed.write_text('{"title": "Mill opens", "source": "wire", "published": "2024-01-01T00:00:00Z"}\n')
    with pytest.raises(ReplayRefused, match="MOODWIRE_NEWS_TOPIC"):
        await replay_file(settings, feed)
    other = settings.changed(namespace="staging").topics
    assert {other.foreign(topic) for topic in NAMED} == {""}
    assert other.news == f"{settings.prefix}staging.news"


def test_a_namespace_is_known_by_topics_that_are_its_own(settings: Settings, broker: KafkaBroker) -> None:
    broker.ensure_topics(topic_specs(settings))
    assert known_namespaces(settings, broker) == ["live"]
    with open_existing(settings) as opened:
        assert opened.names(settings.prefix)
    with pytest.raises(SettingsError, match="it has live"), open_existing(settings.changed(namespace="typo")):
        pass
