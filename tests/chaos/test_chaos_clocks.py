"""A live stream in which records come from a clock that is ahead, or claim to end a replay, on the real servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from streams.engine.ports import Send
from streams.records import News
from streams.topics import END_HEADER
from streams.wall_clock import wall_clock_ms
from tests.chaos.conftest import Report
from tests.chaos.found import found, news_log
from tests.chaos.reference import Outcomes, reference
from tests.chaos.workers import wait_until
from tests.chaos.world import PARTITIONS, Figures, World

AHEAD_MS = 23 * 3_600_000
FOREIGN = b"a foreign clock"


def hostile(topic: str, number: int) -> Send:
    """A record of a foreign clock, or one that claims to end a replay."""
    partition = number % PARTITIONS
    if number % 2:
        headers = ((END_HEADER, str(wall_clock_ms() + AHEAD_MS).encode()),)
        return Send(topic, FOREIGN, b"{}", partition, headers)
    news = News(
        id=f"{number:032x}",
        content="c",
        title=f"Reading room {number} opens",
        source="a foreign clock",
        seen_ms=wall_clock_ms() + AHEAD_MS,
    )
    return Send(topic, FOREIGN, msgspec.json.encode(news), partition)


def among(records: Sequence[Send], topic: str) -> Iterator[Send]:
    """The records, each twentieth followed by a hostile one."""
    for number, record in enumerate(records):
        yield record
        if number % 20 == 0:
            yield hostile(topic, number // 20)


def without_foreign(log: tuple[str, list[Any]]) -> tuple[str, list[Any]]:
    epoch, partitions = log
    return epoch, [[record for record in records if record.key != FOREIGN] for records in partitions]


def test_a_foreign_clock(world: World, report: Report) -> None:
    """Alerts come as without it, every record is archived or parked, and event time stays with the clock."""
    feed = world.feed()
    records = list(among(feed.records, world.settings.topics.news))
    world.publish(records)
    log = news_log(world.broker, world.settings)
    wanted = asyncio.run(reference(world.settings, [without_foreign(log)]))
    assert any(body["change"] == "opened" for body in wanted.alerts.values())
    worker = world.start(
        "only", live=True, HOLD_HOURS="240"
    )  # a partition may be days behind the one that is read first
    worker.wait_for_runs(1)
    world.drain()
    left = _left(world, log)
    wait_until(lambda: _arrived(world, log, wanted, left), "the alerts are those without the foreign clock", 120)
    assert world.progress_ms() <= wall_clock_ms() + 1_000
    foreign = len(records) - len(feed.records)
    assert len(left.versions) + len(left.duplicates) + len(left.rejects) == len(records)
    assert len(left.rejects - wanted.rejects) == foreign // 2
    assert wanted.versions.items() <= left.versions.items()
    lost = len(wanted.versions.keys() - left.versions.keys()) + len(wanted.rejects - left.rejects)
    seconds = time.monotonic() - world.began
    figures = Figures(len(records), lost, left.stored_twice, 0, 0, len(wanted.alerts), seconds)
    report(f"{foreign} records of a clock 23 h ahead or with the end of a replay, live", figures)


def _left(world: World, log: tuple[str, list[Any]]) -> Outcomes:
    return found(world.settings, world.direct_url, world.broker, [log], world.files())


def _arrived(world: World, log: tuple[str, list[Any]], wanted: Outcomes, left: Outcomes) -> bool:
    """Whether each alert state is there as it should be; the clock may have added later ones."""
    left.alerts.update(_left(world, log).alerts)
    return wanted.alerts.items() <= left.alerts.items()
