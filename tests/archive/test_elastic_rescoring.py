"""Scoring the archive again, on a real server: new scores beside the old, resumable, undone by no redo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from models import NullClassifier
from models.artifact import load_artifact, shipped
from streams.archive.elastic import rescoring
from streams.archive.elastic.archive import ElasticArchive
from streams.archive.elastic.options import ElasticOptions
from streams.archive.protocol import ArchiveStats, Outcome
from streams.jobs.rescore import rescore
from streams.text.profile import Profile, load_profile
from tests.archive.test_archive_contract import HOUR_MS, scored

pytestmark = pytest.mark.integration


@pytest.fixture
async def elastic(elastic_url: str, elastic_prefix: str) -> AsyncIterator[ElasticArchive]:
    archive = ElasticArchive(elastic_url, ElasticOptions(prefix=elastic_prefix, replicas=0))
    yield archive
    await archive.close()


@pytest.fixture
def profile() -> Profile:
    return load_profile("finance")


@pytest.fixture
def model(profile: Profile) -> NullClassifier:
    return NullClassifier(load_artifact(shipped(profile.classifiers["en"])).labels, version="2")


async def documents(archive: ElasticArchive) -> list[dict[str, Any]]:
    await archive.refresh()
    answer = await archive.session.call("POST", f"/{archive.names.versions}/_search", {"size": 100})
    return [hit["_source"]["moodwire"] for hit in answer["hits"]["hits"]]


async def test_new_scores_stand_beside_the_old(
    elastic: ElasticArchive, profile: Profile, model: NullClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescoring, "PAGE", 3)
    items = [scored(number) for number in range(7)]
    await elastic.write_items(items)
    heard: list[tuple[int, int]] = []
    done = await rescore(elastic.rescorer(), profile, {"en": model}, on_progress=lambda *figures: heard.append(figures))
    assert done == 7
    assert heard == [(0, 7), (3, 7), (6, 7), (7, 7)]
    for own in await documents(elastic):
        assert (own["current"]["model"], own["current"]["model_version"]) == ("null", "2")
        assert [earlier["model"] for earlier in own["earlier"]] == ["m"]
        series = own["current"]["series"]
        assert f"topic/{own['current']['heads']['topic']['label']}" in series
        assert len([name for name in series if name.startswith("topic/")]) == 1
    (item,) = await elastic.items_by_id(["id1"])
    assert item.heads
    assert item.heads != items[1].heads
    assert (await elastic.rates("all", "negative", 0, 99 * HOUR_MS, 99 * HOUR_MS))[0].total == 7
    assert await rescore(elastic.rescorer(), profile, {"en": model}) == 0


async def test_a_redo_does_not_bring_the_old_scores_back(
    elastic: ElasticArchive, profile: Profile, model: NullClassifier
) -> None:
    await elastic.write_items([scored(1)])
    await rescore(elastic.rescorer(), profile, {"en": model})
    assert await elastic.write_items([scored(1)]) == [Outcome.ADDED]
    (item,) = await elastic.items_by_id(["id1"])
    assert item.model_version == "2"
    assert await elastic.stats() == ArchiveStats(1, 0, 0)


async def test_it_goes_on_where_it_was_cut_off(
    elastic: ElasticArchive, profile: Profile, model: NullClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescoring, "PAGE", 2)
    await elastic.write_items([scored(number) for number in range(5)])

    class CutOffError(Exception):
        pass

    def cut(done: int, total: int) -> None:
        if done:
            raise CutOffError

    with pytest.raises(CutOffError):
        await rescore(elastic.rescorer(), profile, {"en": model}, on_progress=cut)
    assert await rescore(elastic.rescorer(), profile, {"en": model}) == 3
    assert all(len(own["earlier"]) == 1 for own in await documents(elastic))


async def test_only_the_languages_and_times_asked_for(
    elastic: ElasticArchive, profile: Profile, model: NullClassifier
) -> None:
    await elastic.write_items([scored(number) for number in range(4)])
    assert await rescore(elastic.rescorer(), profile, {"zh": model}) == 0
    assert await rescore(elastic.rescorer(), profile, {"en": model}, since_ms=3 * HOUR_MS) == 1
