"""What topics bring to streams, over both brokers: items, alerts as the judge has them, restarts, missing topics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from alerts.judge.decisions import Acknowledge
from streams.board.live.live import Live
from streams.engine.ports import Send
from streams.records import Scored
from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.broker import Broker, open_broker
from tests.alerts.delivery_event import NOW_MS
from tests.archive_news import crisis_news
from tests.board.streaming import Heard, Listener, listening, serving
from tests.broker_settings import BOTH_BROKERS, settings_on
from tests.integration.test_decisions import publish, worker
from tests.stages.deliver_harness import HOUR_MS, FakeReceiver

ITEMS = crisis_news()[:50]


@pytest.fixture(params=BOTH_BROKERS)
def settings(request: pytest.FixtureRequest, tmp_path: Path, unique_topic: Callable[[str], str]) -> Settings:
    return settings_on(request, tmp_path, unique_topic)


@pytest.fixture
def broker(settings: Settings) -> Iterator[Broker]:
    with open_broker(settings.broker, settings.kafka) as broker:
        yield broker


def by_id(item: Scored) -> bytes:
    return msgspec.json.encode({"id": item.news.id})


@asynccontextmanager
async def board(settings: Settings) -> AsyncIterator[tuple[Live, str]]:
    """The live part of a board that has begun to follow, and the address of its stream."""
    async with Live(settings, by_id) as live, serving(live.hub) as url, asyncio.timeout(60):
        while "items" not in live.hub.position:  # noqa: ASYNC110  # it follows in a thread of its own
            await asyncio.sleep(0.02)
        yield live, url


def score(broker: Broker, settings: Settings, *numbers: int) -> None:
    topic = settings.topics.scored
    broker.append([Send(topic, b"k", msgspec.json.encode(ITEMS[number])) for number in numbers])


async def ids(listener: Listener, count: int) -> list[str]:
    return [one.data["id"] for one in await listener.events(count)]


def wanted(*numbers: int) -> list[str]:
    return [ITEMS[number].news.id for number in numbers]


async def test_items_come_as_they_are_scored_and_a_board_that_restarts_goes_on(
    settings: Settings, broker: Broker
) -> None:
    async with board(settings) as (_, url), listening(f"{url}?topics=items") as one:
        await one.block()
        broker.append([Send(settings.topics.scored, b"k", b"no item")])
        score(broker, settings, 0, 1)
        assert await ids(one, 2) == wanted(0, 1)
        last = one.last_id
    score(broker, settings, 2, 3)
    async with board(settings) as (_, url), listening(f"{url}?topics=items", last) as one:
        score(broker, settings, 4)
        assert await ids(one, 3) == wanted(2, 3, 4)


async def test_of_a_flood_the_newest_items_come_and_the_others_are_counted(settings: Settings, broker: Broker) -> None:
    async with board(settings) as (_, url), listening(f"{url}?topics=items") as one:
        await one.block()
        score(broker, settings, *[number % 50 for number in range(2_000)])
        shown = skipped = 0
        while shown + skipped < 2_000:
            heard = await one.next()
            shown += heard.name == "item"
            skipped += heard.data["items"] if heard.name == "skipped" else 0
        assert heard.data == {"id": ITEMS[1_999 % 50].news.id}
        assert shown <= 100
        assert shown + skipped == 2_000


async def test_alerts_come_as_the_judge_has_them_and_decisions_are_answered(settings: Settings, broker: Broker) -> None:
    async with board(settings) as (live, url), listening(f"{url}?topics=alerts") as one:
        await one.block()
        publish(broker, settings, "a")
        async with worker(settings, FakeReceiver("desk")):  # makes the topic that the board waits for
            opened = await named(one, "a", lambda data: True)
            assert opened.data["state"] == "firing"
            until_ms = NOW_MS + 4 * HOUR_MS
            taken = Acknowledge(id="x", by="ann", at_ms=NOW_MS, seen=1, target="a", until_ms=until_ms)
            answer = await live.decide(broker, taken, 30)
            assert answer is not None
            assert answer.accepted
            seen = await named(one, "a", lambda data: bool(data["acknowledged"]))
            assert seen.data["acknowledged"] == {"by": "ann", "until_ms": until_ms}
            assert seen.data["version"] == answer.version == (await live.state()).versions["a"]
            late = msgspec.structs.replace(taken, id="y", by="bob")
            moved = await live.decide(broker, late, 30)
            assert moved is not None
            assert (moved.outcome, moved.version) == ("moved", answer.version)
            again = await live.decide(broker, taken, 30)
            assert again is not None
            assert again.outcome == "repeated"


async def named(listener: Listener, alert: str, fits: Callable[[dict[str, object]], bool]) -> Heard:
    """The next event of the alert that fits."""
    while (heard := await listener.next()).data.get("id") != alert or not fits(heard.data):
        pass
    return heard


async def test_no_answer_comes_while_no_worker_runs(settings: Settings, broker: Broker) -> None:
    async with board(settings) as (live, _):
        taken = Acknowledge(id="x", by="ann", at_ms=NOW_MS, seen=1, target="a", until_ms=NOW_MS + HOUR_MS)
        assert await live.decide(broker, taken, 0.1) is None
        publish(broker, settings, "a")
        async with worker(settings, FakeReceiver("desk")):
            answer = await live.judge.answer("x", -1, 60)  # it waited in the log
        assert answer is not None
        assert answer.accepted or answer.outcome == "unknown"  # before or behind the alert


async def test_a_topic_that_is_made_again_makes_clients_begin_anew(
    settings: Settings, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.transport.kafka.tail._CHECK_SECONDS", 0.0)
    async with board(settings) as (_, url), listening(f"{url}?topics=items") as one:
        await one.block()
        score(broker, settings, 0)
        assert await ids(one, 1) == wanted(0)
        broker.delete_topic(settings.topics.scored)
        broker.ensure_topics(topic_specs(settings))
        assert (await one.next()).data == {"reason": "restarted"}
        score(broker, settings, 1)
        assert await ids(one, 1) == wanted(1)
