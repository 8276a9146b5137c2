"""A webhook whose address was wrong: what waited goes to the corrected one after a restart, on both brokers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from streams.app import Pipeline
from streams.cli import app
from streams.engine.ports import Send
from streams.settings import Settings
from streams.transport.broker import open_broker
from tests.alerts.delivery_event import delivery_event
from tests.broker_settings import BOTH_BROKERS, settings_on
from tests.running_pipeline import running
from tests.stages.deliver_harness import PassingJudge
from tests.webhook_receiver import WebhookReceiver, receiving


@pytest.fixture
def wrong() -> Iterator[WebhookReceiver]:
    with receiving(404) as server:
        yield server


@pytest.fixture
def right() -> Iterator[WebhookReceiver]:
    with receiving() as server:
        yield server


@pytest.fixture(params=BOTH_BROKERS)
def settings(request: pytest.FixtureRequest, tmp_path: Path, unique_topic: Callable[[str], str]) -> Settings:
    settings = settings_on(request, tmp_path, unique_topic, TERMINAL="false")
    events = [delivery_event(name) for name in ("a", "b")]
    with open_broker(settings.broker) as broker:
        broker.append([Send(settings.topics.alerts, b"k", event.to_json(), 0) for event in events])
    return settings


async def run_until(settings: Settings, url: str, done: Callable[[], bool]) -> None:
    """A worker of `deliver` with the webhook at `url`, until `done`."""
    settings, judge = settings.changed(webhook_url=SecretStr(url)), partial(PassingJudge, ["webhook"])
    async with asyncio.timeout(120), Pipeline(settings, ["deliver"], make_judge=judge) as pipeline, running(pipeline):
        while not await asyncio.to_thread(done):  # noqa: ASYNC110  # another process would ask as well
            await asyncio.sleep(0.05)


def listed() -> list[dict[str, Any]]:
    shown = CliRunner().invoke(app, ["deliver", "list", "--json"])
    assert shown.exit_code == 0, (shown.output, shown.exception)
    return [json.loads(line) for line in shown.output.splitlines() if line.startswith("{")]


def states() -> set[tuple[str, str, str]]:
    return {(row["id"], row["receiver"], row["state"]) for row in listed()}


async def test_what_waited_goes_to_the_corrected_address_under_its_id_and_once(
    settings: Settings, wrong: WebhookReceiver, right: WebhookReceiver
) -> None:
    waiting = {(f"{name}.1", "webhook", "waiting") for name in "ab"}
    await run_until(settings, wrong.url, lambda: wrong.posts != [] and any(row["problem"] for row in listed()))
    assert states() == waiting
    assert {row["problem"] for row in listed() if row["problem"]} == {"answered 404"}

    sent = {(f"{name}.1", "webhook", "sent") for name in "ab"}
    await run_until(settings, right.url, lambda: states() == sent)
    assert right.taken == ["a.1", "b.1"]
    assert {post.id for post in wrong.posts} == {"a.1"}, "the probe of a receiver that is down"

    def again() -> bool:
        done = CliRunner().invoke(app, ["deliver", "resend", "b.1", "--wait", "60"])
        return done.exit_code == 0

    await run_until(settings, right.url, again)
    assert right.taken == ["a.1", "b.1", "b.1"], "once for each restart, and once for who asked"
