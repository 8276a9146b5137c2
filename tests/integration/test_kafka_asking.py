"""Commands that only ask, on a real cluster: a namespace that does not exist is named with those that do, and no topic
is made; a retried record keeps its time although the broker stamps records itself."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from streams.errors import Reject, SettingsError
from streams.existing import exists, open_existing
from streams.feeds.fieldmap import FieldMap, news_from_record
from streams.feeds.rejects import Unprocessed, reject_send
from streams.jobs.retry import read_rejects, retry_rejects
from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from streams.wall_clock import wall_clock_ms

pytestmark = pytest.mark.integration

SEEN_MS = 1_680_000_000_000


@pytest.fixture
def settings(kafka_url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, broker_url=kafka_url, prefix=f"{uuid.uuid4().hex[:8]}.")


def test_a_namespace_without_topics_is_answered_with_those_that_have_some(settings: Settings) -> None:
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics(topic_specs(settings))
        before = broker.names(settings.prefix)
        typo = settings.changed(namespace="typo")
        assert (exists(settings), exists(typo)) == (True, False)
        with pytest.raises(SettingsError, match=r"no namespace 'typo' in kafka://.*it has live"), open_existing(typo):
            pass
        assert broker.names(settings.prefix) == before
    assert list(settings.data_dir.iterdir()) == []


def test_a_retried_record_keeps_its_time_although_the_broker_stamps_it(settings: Settings) -> None:
    topics, now_ms = settings.topics, wall_clock_ms()
    raw = json.dumps({"title": "Mill closes", "source": "Post"}).encode()
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics(topic_specs(settings))
        why = Reject("no_title", "")
        parked = Unprocessed("news:0:7:e", "x", raw, seen_ms=SEEN_MS)
        broker.append([reject_send(topics.rejects, parked, why, now_ms)])
        done = retry_rejects(broker, topics, read_rejects(broker, topics), FieldMap.default(), now_ms=now_ms)
        [record] = broker.scan(topics.news)
        assert done.sent == 1
        assert record.timestamp_ms > SEEN_MS
        assert news_from_record(record.value or b"", record.timestamp_ms, FieldMap.default(), now_ms).seen_ms == SEEN_MS
        assert read_rejects(broker, topics) == []
