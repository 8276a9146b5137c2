"""A namespace is live or a replay by declaration, on either broker, and never both."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from models import NullClassifier
from streams.app import Pipeline
from streams.archive.memory import MemoryArchive
from streams.engine.ports import Send
from streams.errors import SettingsError
from streams.namespaces import Declaration, Kind, check_profile, declare, declared
from streams.records import MentionBatch
from streams.serving.control import Control, read_control
from streams.settings import Settings
from streams.topics import Topics
from streams.transport.broker import Broker, TopicSpec, open_broker
from streams.transport.stages import run_stages

CLASSIFIER = NullClassifier({"sentiment": ("negative", "neutral", "positive"), "topic": ("Earnings",)})


def check_kinds(broker: Broker, topics: Topics) -> None:
    broker.ensure_topics([TopicSpec(topics.control, 1, compacted=True)])
    assert declared(broker.scan(topics.control)) is None
    for value in (b"garbage", b'{"kind":"backup"}', None):
        broker.append([Send(topics.control, b"namespace", value)])
    declare(broker, topics, Kind.REPLAY, "shop")
    declare(broker, topics, Kind.REPLAY, "shop")
    with pytest.raises(SettingsError, match=r"is a replay's: .* add --replay"):
        declare(broker, topics, Kind.LIVE, "shop")
    assert declared(broker.scan(topics.control)) == Declaration(Kind.REPLAY, "shop")
    with pytest.raises(SettingsError, match=r"made with the profile 'shop', and 'finance' counts other things"):
        declare(broker, topics, Kind.REPLAY, "finance")
    with pytest.raises(SettingsError, match="name 'shop' or its folder"):
        check_profile(broker.scan(topics.control), topics, "finance")
    assert read_control(broker.scan(topics.control)) == Control()


def test_the_first_declaration_holds_on_the_embedded_broker(tmp_path: Path) -> None:
    with open_broker(f"sqlite:///{tmp_path / 'broker.db'}") as broker:
        check_kinds(broker, Topics("t.", "night"))


def test_the_first_declaration_holds_on_kafka(kafka_url: str) -> None:
    with open_broker(kafka_url) as broker:
        check_kinds(broker, Topics("kinds.", "night"))


class Racing:
    """A broker on which another command declares between the first look and the own declaration."""

    def __init__(self, broker: Broker, topics: Topics) -> None:
        self._broker, self._topics = broker, topics
        self.scan = broker.scan

    def append(self, sends: list[Send]) -> None:
        if declared(self._broker.scan(self._topics.control)) is None:
            declare(self._broker, self._topics, Kind.LIVE, "shop")
        self._broker.append(sends)


def test_of_two_that_declare_at_once_one_is_refused_and_compaction_keeps_the_other(tmp_path: Path) -> None:
    topics = Topics("t.", "night")
    with open_broker(f"sqlite:///{tmp_path / 'broker.db'}") as broker:
        broker.ensure_topics([TopicSpec(topics.control, 1, compacted=True)])
        with pytest.raises(SettingsError, match="is live"):
            declare(Racing(broker, topics), topics, Kind.REPLAY, "shop")  # type: ignore[arg-type]  # what `declare` uses of one
        records = list(broker.scan(topics.control))
        assert declared(records) == Declaration(Kind.LIVE, "shop")
        assert declared(records[-1:]) == Declaration(Kind.LIVE, "shop")


async def ticks(settings: Settings, kind: Kind) -> list[int]:
    """The progress that `score` reports while no news comes, until there are two reports or it has idled twice."""
    stop = asyncio.Event()
    async with Pipeline(
        settings, ("score",), {"en": CLASSIFIER}, channels=(), archive=MemoryArchive(), kind=kind
    ) as pipeline:
        stage = pipeline.jobs[0].dispatcher.stage
        idled = 0
        idle = stage.idle

        async def counting(partition: int, now_ms: int) -> None:
            nonlocal idled
            await idle(partition, now_ms)
            idled += 1
            if idled == 2:
                stop.set()

        stage.idle = counting  # type: ignore[method-assign]  # to know when it has idled, without waiting
        await asyncio.wait_for(run_stages(pipeline.jobs, until=stop), 60)
        records = list(pipeline.broker.scan(settings.topics.mentions))
    return [msgspec.json.decode(one.value or b"", type=MentionBatch).progress_ms for one in records]


@pytest.mark.parametrize(("namespace", "kind"), [("staging", Kind.LIVE), ("live", Kind.REPLAY)])
async def test_time_goes_on_without_news_where_a_namespace_is_live_whatever_its_name(
    namespace: str, kind: Kind, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, namespace=namespace)
    found = await ticks(settings, kind)
    assert len(found) >= 2 if kind is Kind.LIVE else found == []
    other = Kind.REPLAY if kind is Kind.LIVE else Kind.LIVE
    with pytest.raises(SettingsError, match=namespace):
        async with Pipeline(settings, (), kind=other):
            pass
