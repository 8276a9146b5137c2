"""A promotion raises no alert on a stationary stream, with the real stages; without new baselines it does."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models import Classifier, Places, Probabilities
from streams.alert_rules import alert_config
from streams.app import Pipeline
from streams.archive.protocol import Archive
from streams.engine.ports import Send
from streams.lifecycle.baselines import Rescoring
from streams.lifecycle.preparation import prepare_baselines
from streams.namespaces import Kind
from streams.records import News, Scored
from streams.serving.control import Promotion, promotion_send
from streams.settings import Settings
from streams.text.profile import load_profile
from streams.topics import END_HEADER
from streams.transport.broker import Broker, open_broker
from tests.running_pipeline import running

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_749_427_200_000  # a Monday
BEFORE_DAYS, AFTER_DAYS = 12, 3
PER_HOUR = 12
ENTITIES = [f"E{number}" for number in range(6)]
PROMOTION = 77
MODEL = "finance-en-minilm-int8"  # the profile's: only its version changes


class RateClassifier:
    """Calls a share of all texts negative, chosen by a hash of the text: the same ones and more at a higher share."""

    entity_labels: Mapping[str, tuple[str, ...]] = {}
    name = MODEL
    labels: Mapping[str, tuple[str, ...]] = {"sentiment": ("negative", "neutral", "positive")}

    def __init__(self, version: str, share: float) -> None:
        self.version = version
        self.share = share

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        scores = np.zeros((len(texts), 3), np.float32)
        negative = np.array([zlib.crc32(text.encode()) % 1_000 < 1_000 * self.share for text in texts], bool)
        scores[negative, 0] = 1.0
        scores[~negative, 1] = 1.0
        return {"sentiment": scores}

    def close(self) -> None:
        """Nothing is held."""


def stationary(rng: random.Random, first_day: int, days: int) -> list[News]:
    """News at one rate, at all hours: nothing in it is worth an alert."""
    times = sorted(START_MS + first_day * DAY_MS + rng.randrange(days * DAY_MS) for _ in range(days * 24 * PER_HOUR))
    return [
        News(
            id=f"{first_day}-{number}",
            content="c",
            title=f"Item {first_day}-{number} of {rng.choice(ENTITIES)} number {rng.getrandbits(40)}",
            source="wire",
            language="en",
            entities=(rng.choice(ENTITIES),),
            seen_ms=seen_ms,
        )
        for number, seen_ms in enumerate(times)
    ]


class World:
    """An embedded broker and archive with the real pipeline over them, fed piece by piece."""

    def __init__(self, folder: Path, shares: Mapping[str, float]) -> None:
        self.settings = Settings(
            data_dir=folder,
            namespace="stationary",
            terminal=False,
            control_seconds=0.05,
            watch_seconds=0,
            score_seconds=0,
        )
        self.shares = dict(shares)
        self.profile = load_profile("finance")

    def opened(self, name: str, version: str) -> Classifier:
        return RateClassifier(version, self.shares.get(version, self.shares["shipped"]))

    async def play(self, seed: int, *, promote: bool, baselines: bool) -> tuple[list[Scored], list[str]]:
        """All items in order of their offsets, and the series of the alerts after the promotion."""
        rng = random.Random(seed)
        pieces = [stationary(rng, 0, BEFORE_DAYS), stationary(rng, BEFORE_DAYS, AFTER_DAYS)]
        async with Pipeline(self.settings, channels=[], open_model=self.opened, kind=Kind.REPLAY) as pipeline:
            archive = pipeline.archive
            assert archive is not None
            async with running(pipeline):
                with open_broker(self.settings.broker) as broker:
                    await self._feed(broker, pieces[0], BEFORE_DAYS * DAY_MS)
                    if promote:
                        await self._promote(broker, archive, pipeline, baselines=baselines)
                    await self._feed(broker, pieces[1], (BEFORE_DAYS + AFTER_DAYS) * DAY_MS)
            items = [
                item
                for place in await archive.source_partitions()
                for item in await archive.items_after(
                    epoch=place[0], partition=place[1], after_offset=-1, limit=100_000
                )
            ]
            since_ms = START_MS + BEFORE_DAYS * DAY_MS - HOUR_MS
            return items, [alert.series for alert in await archive.alerts(limit=1_000, since_ms=since_ms)]

    async def _feed(self, broker: Broker, news: Sequence[News], end_ms: int) -> None:
        topics = self.settings.topics
        end = Send(topics.news, None, None, 0, ((END_HEADER, str(START_MS + end_ms).encode()),))
        broker.append([*(Send(topics.news, None, msgspec.json.encode(one), 0) for one in news), end])
        while await asyncio.to_thread(self._lag, broker):  # noqa: ASYNC110  # a broker wakes nobody
            await asyncio.sleep(0.05)

    def _lag(self, broker: Broker) -> int:
        topics = self.settings.topics
        return sum(broker.lag(topics.group(name), topic) for name, topic in topics.sources.items())

    async def _promote(self, broker: Broker, archive: Archive, pipeline: Pipeline, *, baselines: bool) -> None:
        topics = self.settings.topics
        if baselines:
            prepared = await prepare_baselines(
                broker,
                topics,
                1,
                archive,
                alert_config(self.settings, self.profile),
                Rescoring(self.profile, {"en": self.opened(MODEL, "2")}),
                PROMOTION,
                span_ms=56 * DAY_MS,
            )
            assert prepared is not None
            assert prepared.cut_ms == START_MS + BEFORE_DAYS * DAY_MS - HOUR_MS
            assert prepared.items == BEFORE_DAYS * 24 * PER_HOUR
        promotion = Promotion(
            language="en", name=MODEL, version="2", number=PROMOTION, at_ms=1, by="ann", gate="forced", reason="a test"
        )
        broker.append([promotion_send(topics.control, promotion)])
        [follower] = pipeline._followers
        await follower.look()


async def played(
    folder: Path, before: float, after: float, *, seed: int = 5, promote: bool = True, baselines: bool = True
) -> list[str]:
    """The series of the alerts after the promotion; checks what was scored by which version."""
    world = World(folder / str(seed), {"shipped": before, "2": after})
    items, alerts = await world.play(seed, promote=promote, baselines=baselines)
    assert len(items) == (BEFORE_DAYS + AFTER_DAYS) * 24 * PER_HOUR
    versions = [item.model_version for item in items]
    if promote:
        begins = versions.index("2")
        assert begins == BEFORE_DAYS * 24 * PER_HOUR, "the swap is where it was promoted"
        assert set(versions[begins:]) == {"2"}
    return alerts


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(0.15, 0.3), (0.3, 0.15)], ids=["twice as many", "half as many"])
async def test_a_promotion_raises_nothing_when_baselines_were_rebuilt(
    tmp_path: Path, before: float, after: float
) -> None:
    for seed in (5, 7):
        assert await played(tmp_path, before, after, seed=seed) == []


@pytest.mark.slow
async def test_without_new_baselines_the_same_promotion_raises_alerts(tmp_path: Path) -> None:
    assert len(await played(tmp_path, 0.15, 0.3, baselines=False)) >= 3


@pytest.mark.slow
async def test_after_the_promotion_it_is_as_if_the_new_model_had_always_been_there(tmp_path: Path) -> None:
    """This stream holds one alert for a model that calls so many negative: the same comes, no other."""
    always = await played(tmp_path / "always", 0.3, 0.3, seed=6, promote=False)
    assert len(always) == 1
    assert await played(tmp_path / "promoted", 0.15, 0.3, seed=6) == always
