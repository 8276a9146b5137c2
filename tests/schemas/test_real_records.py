"""Records, posts and lines of a real run of the sample feed fit their schemas; no field in them lacks a description."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from alerts.delivery import Delivered, FileChannel, Notice, Notification, WebhookChannel
from models import NullClassifier
from streams.engine.runs import Record
from streams.jobs.replay import ReplayReport, replay_file
from streams.lifecycle.feedback import Feedback, feedback_sends
from streams.sample import START, ground_truth, write_sample
from streams.schemas.contents import CONTENTS, DELIVERED
from streams.schemas.describing import LARGEST
from streams.schemas.json_schema import topic_schema
from streams.serving.control import Earlier, Promotion, Shadow, promotion_send, shadow_send
from streams.settings import Settings
from streams.transport.broker import Broker, open_broker
from tests.stages.test_score_stage import CLASSIFIER
from tests.webhook_receiver import Post, receiving

CONTENT = {content.topic: content for content in (*CONTENTS, *DELIVERED)}
TOPICS = [content.topic for content in CONTENTS]
START_MS = int(START.timestamp() * 1000)
IN_CRISIS = tuple(crisis.name.partition(" ")[0] for crisis in ground_truth(START))


class Alarmed(NullClassifier):
    """Takes every title that names a company in a crisis for bad news, and others for neither good nor bad."""

    def classify(self, texts: Sequence[str], entities: Any = None) -> Any:
        bad = [any(name in text for name in IN_CRISIS) for text in texts]
        rows = [[0.9, 0.06, 0.04] if one else [0.05, 0.9, 0.05] for one in bad]
        return {**super().classify(texts, entities), "sentiment": np.array(rows, np.float32)}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sequence[Record]]:
    """By topic what a replay of the sample feed left, with what people decided afterwards."""
    folder = tmp_path_factory.mktemp("run")
    watchlists = Path(str(resources.files("streams.sample") / "watchlists.yaml"))
    settings = Settings(data_dir=folder, namespace="sample", watchlists=watchlists)
    write_sample(folder / "sample.ndjson")
    alarmed = Alarmed(CLASSIFIER.labels)
    with receiving() as hook:
        report = asyncio.run(_replayed(settings, folder, alarmed, hook.url))
    assert report.alerts > 0
    assert report.rejected > 0
    lines = (folder / "alerts.ndjson").read_bytes().splitlines()
    sent = {
        "webhook": list(map(_posted, count(), hook.posts)),
        "alerts-file": [Record(0, None, line, 0) for line in lines],
    }
    with open_broker(settings.broker) as broker:
        _decide(broker, settings)
        return sent | {topic: list(broker.scan(settings.topics.name(topic))) for topic in TOPICS}


def _posted(number: int, post: Post) -> Record:
    """A post as a record, with those headers that Standard Webhooks names."""
    own = tuple((name, value.encode()) for name, value in post.headers.items() if name.startswith("webhook-"))
    return Record(number, None, post.body, 0, own)


async def _replayed(settings: Settings, folder: Path, alarmed: Alarmed, url: str) -> ReplayReport:
    """The sample feed with both channels, which also report a trouble and its end."""

    def channels() -> tuple[FileChannel, WebhookChannel]:
        return FileChannel(folder / "alerts.ndjson"), WebhookChannel(
            url, f"whsec_{base64.b64encode(bytes(32)).decode()}"
        )

    report = await replay_file(settings, folder / "sample.ndjson", channels=channels(), classifiers={"en": alarmed})
    for channel in channels():
        for revision, change in enumerate(("opened", "resolved"), 1):
            notice = Notice(
                id="t1", revision=revision, change=change, reason="archive", subject="", detail="away", instance="one",
                since_ms=START_MS, updated_ms=START_MS,
            )  # fmt: skip
            assert await channel.notify(Notification(notice), START_MS) == Delivered()
        await channel.aclose()
    return report


def _decide(broker: Broker, settings: Settings) -> None:
    topics = settings.topics
    promotion = Promotion(
        language="en", name="m", version="2", number=1, at_ms=1, by="ann", gate="passed", earlier=(Earlier("m", "1"),)
    )
    shadow = Shadow(language="en", name="m", version="3", at_ms=1, by="ann")
    word = Feedback(item="a", by="ann", at_ms=1, labels={"sentiment": "negative"}, entities={"ACME": "neutral"})
    broker.append(
        [
            promotion_send(topics.control, promotion),
            shadow_send(topics.control, "en", shadow),
            *feedback_sends(topics.feedback, word),
        ]
    )


def strict(topic: str) -> Draft202012Validator:
    """The topic's schema without room for fields that it does not name."""
    return Draft202012Validator(_closed(topic_schema(CONTENT[topic])))


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    return {**closed, "additionalProperties": False} if isinstance(schema.get("properties"), dict) else closed


@pytest.mark.parametrize("topic", CONTENT)
def test_every_record_fits_and_has_no_field_without_a_description(
    topic: str, records: Mapping[str, Sequence[Record]]
) -> None:
    validator, seen = strict(topic), 0
    for record in _sampled(records[topic]):
        if record.value:
            validator.validate(json.loads(record.value))
            seen += 1
    assert seen > 0


def _sampled(records: Sequence[Record], most: int = 400) -> Iterator[Record]:
    """Some of many, spread over all."""
    yield from records[:: max(1, len(records) // most)]


@pytest.mark.parametrize("topic", [topic for topic, content in CONTENT.items() if not content.internal])
def test_no_integer_in_them_exceeds_what_json_readers_keep(topic: str, records: Mapping[str, Sequence[Record]]) -> None:
    for record in records[topic]:
        for number in _integers(json.loads(record.value or b"0")):
            assert abs(number) <= LARGEST


def _integers(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _integers(one)
    elif isinstance(value, int):
        yield value


@pytest.mark.parametrize("topic", [topic for topic, content in CONTENT.items() if not content.internal])
def test_a_field_that_nobody_described_would_be_found(topic: str, records: Mapping[str, Sequence[Record]]) -> None:
    value = next(json.loads(record.value) for record in records[topic] if record.value)
    assert strict(topic).is_valid(value)
    assert not strict(topic).is_valid(value | {"mood": 1})


def test_headers_are_those_that_are_described(records: Mapping[str, Sequence[Record]]) -> None:
    for topic, content in CONTENT.items():
        assert {name for record in records[topic] for name, _ in record.headers} <= set(content.headers), topic


def test_channels_sent_alerts_and_what_moodwire_reports_of_itself(records: Mapping[str, Sequence[Record]]) -> None:
    posts = {json.loads(record.value or b"")["type"] for record in records["webhook"]}
    assert {"group.opened", "group.updated", "moodwire.opened", "moodwire.resolved"} <= posts
    lines = [json.loads(record.value or b"") for record in records["alerts-file"]]
    assert {kind for line in lines for kind in ("group", "notice") if kind in line} == {"group", "notice"}
    assert len(posts) < len(lines) == len(records["webhook"])
    assert all(len(record.headers) == 3 for record in records["webhook"])
