"""People decide while a worker runs and while none does: answers by place in the log, and the trail in the archive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from alerts.judge import Answer, Outcome, ViewKind
from alerts.judge.decisions import Acknowledge, Silence
from streams.alert_log import Seal, decision_send, seal_send, tick_header
from streams.app import Pipeline
from streams.decisions import answer_of, decide
from streams.engine.ports import Send
from streams.namespaces import Kind
from streams.settings import Settings
from streams.transport.broker import Broker, open_broker
from tests.alerts.delivery_event import NOW_MS, delivery_event
from tests.broker_settings import BOTH_BROKERS, settings_on
from tests.running_pipeline import running
from tests.stages.deliver_harness import HOUR_MS, FakeReceiver

MATCHERS = ('series="entity/a"',)


@pytest.fixture(params=BOTH_BROKERS)
def settings(request: pytest.FixtureRequest, tmp_path: Path, unique_topic: Callable[[str], str]) -> Settings:
    return settings_on(request, tmp_path, unique_topic)


@asynccontextmanager
async def worker(settings: Settings, receiver: FakeReceiver, kind: Kind = Kind.LIVE) -> AsyncIterator[Pipeline]:
    async with (
        asyncio.timeout(180),
        Pipeline(settings, ["deliver"], channels=[receiver], kind=kind) as pipeline,
        running(pipeline),
    ):
        yield pipeline


def publish(broker: Broker, settings: Settings, *names: str, tick_ms: int = NOW_MS) -> None:
    """Alerts of partition 0 of 1, and the seal of their tick."""
    topic = settings.topics.alerts
    events = [Send(topic, b"k", delivery_event(name).to_json(), 0, (tick_header(0),)) for name in names]
    broker.append([*events, seal_send(topic, Seal(partition=0, partitions=1, tick_ms=tick_ms))])


def acknowledge(name: str, seen: int | None, attempt: str = "") -> Acknowledge:
    return Acknowledge(id=name + attempt, by=name, at_ms=NOW_MS, seen=seen, target="a", until_ms=NOW_MS + 4 * HOUR_MS)


def waiting(broker: Broker, settings: Settings) -> list[bytes | None]:
    """The keys of the decisions that `control` holds."""
    last = {record.key: record.value for record in broker.scan(settings.topics.control)}
    return [key for key, value in last.items() if value is not None and (key or b"").startswith(b"decision/")]


async def ask(broker: Broker, settings: Settings, decision: Acknowledge | Silence) -> Answer:
    found = await asyncio.to_thread(partial(decide, broker, settings.topics, decision, wait_seconds=60))
    assert found is not None, "no answer"
    return found


async def test_two_people_decide_at_once_and_each_hears_what_became_of_it(settings: Settings) -> None:
    receiver = FakeReceiver("desk")
    with open_broker(settings.broker, settings.kafka) as broker:
        publish(broker, settings, "a")
        async with worker(settings, receiver) as pipeline:
            first = await ask(broker, settings, acknowledge("ann", 1))
            second = await ask(broker, settings, acknowledge("bob", 1))
            assert (first.outcome, second.outcome) == (Outcome.ACCEPTED, Outcome.MOVED)
            assert first.version > 1
            assert (await ask(broker, settings, acknowledge("bob", second.version, "again"))).accepted
            assert pipeline.archive is not None
            while len(trail := await pipeline.archive.decisions()) < 3:  # noqa: ASYNC110  # the copier tells no one
                await asyncio.sleep(0.05)
            assert [(one.by, one.outcome) for one in reversed(trail)] == [
                ("ann", "accepted"),
                ("bob", "moved"),
                ("bob", "accepted"),
            ]
            assert [view.id for view in await pipeline.archive.views(ViewKind.ALERT)] == ["a"]
            while waiting(broker, settings):  # noqa: ASYNC110  # what was judged leaves `control`
                await asyncio.sleep(0.05)


async def test_what_was_decided_while_no_worker_ran_holds_when_the_next_one_begins(settings: Settings) -> None:
    receiver = FakeReceiver("desk")
    silence = Silence(id="s", by="ann", at_ms=NOW_MS, matchers=MATCHERS, ends_ms=NOW_MS + 24 * HOUR_MS)
    with open_broker(settings.broker, settings.kafka) as broker:
        publish(broker, settings, tick_ms=NOW_MS - 60_000)
        broker.append([decision_send(settings.topics.control, silence)])
        async with worker(settings, receiver):
            while answer_of(broker, settings.topics, "s") is None:  # noqa: ASYNC110  # a command would ask as well
                await asyncio.sleep(0.05)
        publish(broker, settings, "a", tick_ms=NOW_MS)
        publish(broker, settings, tick_ms=NOW_MS + HOUR_MS)
        async with worker(settings, receiver):
            again = await ask(broker, settings, silence)
            assert again.outcome is Outcome.REPEATED
            group = settings.topics.group("deliver")
            while broker.lag(group, settings.topics.alerts):  # noqa: ASYNC110  # a command would ask as well
                await asyncio.sleep(0.05)
        assert receiver.taken == []
