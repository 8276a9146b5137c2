"""`moodwire deliver list|resend` beside a worker and without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from alerts.delivery import Delivered, RetryLater
from streams.alert_log import ALERTS_PARTITION
from streams.app import Pipeline
from streams.archive.protocol import StoredNotification
from streams.cli import app
from streams.engine.ports import Send
from streams.errors import MoodwireError
from streams.jobs.resend import archived_sends, read_deliveries
from streams.settings import Settings
from streams.stages.watch import stored_alert
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from tests.alerts.delivery_event import delivery_event
from tests.running_pipeline import running
from tests.stages.deliver_harness import FakeReceiver, PassingJudge, down


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MOODWIRE_NAMESPACE", "calls")
    return Settings(data_dir=tmp_path, namespace="calls")


def publish(settings: Settings, *names: str) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    with open_broker(settings.broker) as broker:
        broker.ensure_topics(topic_specs(settings))
        events = [msgspec.structs.replace(delivery_event(name), series="entity/\x1b[31mACME") for name in names]
        broker.append([Send(settings.topics.alerts, b"k", event.to_json()) for event in events])


@asynccontextmanager
async def worker(settings: Settings, *receivers: FakeReceiver) -> AsyncIterator[Pipeline]:
    """A process of `deliver`, as far as commands can tell."""
    judge = partial(PassingJudge, [receiver.name for receiver in receivers])
    async with Pipeline(settings, ["deliver"], channels=receivers, make_judge=judge) as pipeline, running(pipeline):
        yield pipeline


async def until(pipeline: Pipeline, receiver: FakeReceiver, count: int) -> None:
    """Until the receiver has so many and the archive's copy is complete."""
    assert pipeline.delivering is not None
    async with asyncio.timeout(60):
        while len(receiver.taken) < count or not pipeline.delivering.is_done:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def call(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["deliver", *words])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def rows(*words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in call("list", "--json", *words).splitlines()]


def test_what_waits_is_listed_and_what_is_asked_for_is_sent_again(settings: Settings) -> None:
    dead, works = FakeReceiver("webhook x", answer=down), FakeReceiver("file")
    publish(settings, "a", "b")

    async def first() -> None:
        async with worker(settings, dead, works) as pipeline:
            await until(pipeline, works, 2)

    async def second() -> None:
        async with worker(settings, dead, works) as pipeline:
            await until(pipeline, dead, 2)
            said = await asyncio.to_thread(call, "resend", "b.1", "--json", "--wait", "60")
            assert [row["state"] for row in json.loads(said)["notifications"]] == ["sent", "sent"]
            assert "nothing to send again" in await asyncio.to_thread(call, "resend", "--failed")

    asyncio.run(first())
    assert {(row["id"], row["receiver"], row["state"]) for row in rows()} == {
        (f"{name}.1", receiver, state)
        for name in "ab"
        for receiver, state in (("webhook x", "waiting"), ("file", "sent"))
    }
    assert [row["receiver"] for row in rows("--state", "waiting", "--receiver", "web")] == ["webhook x"] * 2
    shown = call("list")
    assert "\x1b[31m" not in shown
    assert "webhook x: 2 waiting" in shown
    assert [(row["id"], row["state"]) for row in rows("--archive", "--receiver", "file")] == [
        ("a.1", "sent"),
        ("b.1", "sent"),
    ]
    assert "no worker of `deliver` has answered" in call("resend", "a.1", "--receiver", "web", "--wait", "0", code=1)

    dead.answer = lambda notification, now_ms: Delivered()
    asyncio.run(second())
    assert sorted(dead.taken) == ["a.1", "b.1", "b.1"]
    assert works.taken == ["a.1", "b.1", "b.1"]


def test_a_receiver_in_back_off_is_tried_at_once_and_the_answer_names_its_last_problem(settings: Settings) -> None:
    receiver = FakeReceiver("webhook x", answer=lambda notification, now_ms: RetryLater(3_600, "answered 500"))
    publish(settings, "a", "b")

    async def resend(wait: float, code: int) -> dict[str, Any]:
        words = ("resend", "b.1", "--json", "--wait", str(wait))
        said = await asyncio.to_thread(lambda: call(*words, code=code))
        (answer,) = [json.loads(line) for line in said.splitlines() if line.startswith("{")]  # and the worker's log
        assert isinstance(answer, dict)
        return answer

    async def scene() -> None:
        async with asyncio.timeout(120), worker(settings, receiver):
            while not receiver.attempts:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            tried = len(receiver.attempts)
            while not (answer := await resend(1, 1))["notifications"]:
                pass
            (row,) = answer["notifications"]
            assert (row["state"], row["problem"]) == ("waiting", "the receiver is down: answered 500")
            while len(receiver.attempts) == tried:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            receiver.answer = lambda notification, now_ms: Delivered()
            (row,) = (await resend(60, 0))["notifications"]
            assert (row["state"], row["problem"]) == ("sent", "")

    asyncio.run(scene())
    assert set(receiver.taken) == {"a.1", "b.1"}


def test_an_id_that_is_nowhere_and_words_that_say_nothing(settings: Settings) -> None:
    publish(settings)
    assert rows() == []
    call("resend", code=2)
    call("resend", "a.1", "--failed", code=2)
    assert isinstance(CliRunner().invoke(app, ["deliver", "resend", "zz.1"]).exception, MoodwireError)
    with open_broker(settings.broker) as broker:
        assert read_deliveries(broker, settings.topics) == []
        assert not [name for name in broker.names("moodwire.calls") if "changelog" in name]


def test_what_only_the_archive_knows_is_asked_for_with_its_event(settings: Settings) -> None:
    event = delivery_event("old", 2)
    asked = StoredNotification("old.2.file", "old", 2, "file", "failed", 9, 1, 2, "x", 3)
    ((request, send),) = archived_sends(settings.topics, [asked], [stored_alert(event)], "me").items()
    assert send.value == event.to_json()
    assert send.partition == ALERTS_PARTITION
    assert json.loads(send.headers[0][1])["request"] == request
    with pytest.raises(MoodwireError, match="not its alert"):
        archived_sends(settings.topics, [asked], [], "me")
