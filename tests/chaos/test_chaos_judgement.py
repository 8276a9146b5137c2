"""The judgement itself: it agrees with itself, and sees every kind of damage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from streams.engine.runs import Record
from streams.settings import Settings
from tests.chaos.feed import make_feed
from tests.chaos.reference import Outcomes, reference
from tests.chaos.world import PARTITIONS, compare

UNTIL_MS = 1_795_503_600_000


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder: Path = tmp_path_factory.mktemp("judgement")
    settings = Settings(data_dir=folder, namespace="chaos", partitions=PARTITIONS, mentions_partitions=PARTITIONS)
    feed = make_feed(1_000, "news", PARTITIONS, until_ms=UNTIL_MS)
    logs: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    for send in [*feed.records, *feed.end]:
        log = logs[send.partition or 0]
        log.append(Record(len(log), send.key, send.value, send.timestamp_ms or 0, send.headers))
    return asyncio.run(reference(settings, [("epoch", logs)]))


def test_the_feed_has_what_the_scenarios_need(outcomes: Outcomes) -> None:
    assert outcomes.records == 1_000
    assert len(outcomes.versions) + len(outcomes.duplicates) + len(outcomes.rejects) == 1_000
    assert outcomes.duplicates
    assert outcomes.rejects
    assert any(facts.late for facts in outcomes.versions.values())
    assert {body["state"] for body in outcomes.alerts.values()} >= {"firing", "resolved"}
    assert {body["series"] for body in outcomes.alerts.values()} >= {"entity/BA", "entity/PFE", "entity/NFLX"}
    assert any(hour["high"] is not None for hour in outcomes.hours.values()), "no hour has a band"
    compare(outcomes, deepcopy(outcomes))


def _lose(found: Outcomes) -> None:
    found.versions.popitem()


def _move(found: Outcomes) -> None:
    key, facts = next(iter(found.versions.items()))
    epoch, partition, offset = facts.position
    found.versions[key] = replace(facts, position=(epoch, partition, offset + 1))


def _count_otherwise(found: Outcomes) -> None:
    rows = sorted(found.rows, key=lambda name: len(found.rows[name]))
    found.rows[rows[0]] = found.rows[rows[-1]]


def _announce_under_another_id(found: Outcomes) -> None:
    found.notifications.add(("another", 1))


def _forget_an_alert(found: Outcomes) -> None:
    found.alerts.popitem()


def _lose_an_hour(found: Outcomes) -> None:
    found.hours.popitem()


def _count_an_hour_twice(found: Outcomes) -> None:
    key, hour = next(iter(found.hours.items()))
    found.hours[key] = hour | {"total": 2 * hour["total"]}


def _store_twice(found: Outcomes) -> None:
    found.stored_twice += 1


def _see_one_twice(found: Outcomes) -> None:
    found.duplicates.add(("epoch", 0, 0))


def _unpark(found: Outcomes) -> None:
    found.rejects.pop()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_lose, "of kind version are missing"),
        (_move, "of kind version differ"),
        (_count_otherwise, "of kind series differ"),
        (_announce_under_another_id, "of kind notification are there that should not"),
        (_forget_an_alert, "of kind alert are missing"),
        (_lose_an_hour, "of kind hour are missing"),
        (_count_an_hour_twice, "of kind hour differ:\n.*total: wanted"),
        (_store_twice, "1 documents stored twice"),
        (_see_one_twice, "of kind duplicate are there that should not"),
        (_unpark, "of kind reject are missing"),
    ],
)
def test_it_sees_the_damage(outcomes: Outcomes, damage: Callable[[Outcomes], None], told: str) -> None:
    damaged = deepcopy(outcomes)
    damage(damaged)
    with pytest.raises(AssertionError, match=told):
        compare(outcomes, damaged)
