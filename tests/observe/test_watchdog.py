"""The dead man's switch over a real socket: it pings while all is well, and only then."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from streams.errors import SettingsError
from streams.observe.health import Health
from streams.observe.metrics import Metrics
from streams.observe.watchdog import Watchdog
from tests.observe.watched import Clock, State, metrics_of, sample, troubles_of


class Listening:
    """A receiver of pings; answers `status`."""

    def __init__(self) -> None:
        self.pings: list[str] = []
        self.status = 200
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.pings.append(request.path)
        return web.Response(status=self.status)


@pytest.fixture
async def receiver() -> AsyncIterator[Listening]:
    listening = Listening()
    app = web.Application()
    app.router.add_post("/ping/{key}", listening.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listening.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ping/s3cret"
    yield listening
    await runner.cleanup()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(clock: Clock) -> Metrics:
    return metrics_of(clock)


@pytest.fixture
def health(metrics: Metrics, clock: Clock) -> Health:
    health = Health(troubles_of(metrics, clock), clock)
    health.states["score"] = State()
    health.broker_problem = health.archive_problem = ""
    return health


@pytest.fixture
async def watchdog(receiver: Listening, health: Health, metrics: Metrics) -> AsyncIterator[Watchdog]:
    watchdog = Watchdog(receiver.url, 60, health, metrics)
    yield watchdog
    await watchdog.aclose()


async def turns(watchdog: Watchdog, clock: Clock, seconds: int) -> None:
    for _ in range(seconds // 5):
        await watchdog.turn(clock())
        clock.pass_seconds(5)


async def test_it_pings_once_a_period_while_all_is_well(
    watchdog: Watchdog, receiver: Listening, clock: Clock, metrics: Metrics
) -> None:
    await turns(watchdog, clock, 300)
    assert receiver.pings == ["/ping/s3cret"] * 5
    assert sample(metrics, "watchdog_pings_total", result="sent") == 5


@pytest.mark.parametrize("fault", ["trouble", "broker", "archive", "stage", "crash"])
async def test_it_is_silent_while_anything_is_wrong_and_comes_back(
    fault: str, watchdog: Watchdog, receiver: Listening, clock: Clock, health: Health, metrics: Metrics
) -> None:
    if fault == "trouble":
        health.troubles.raise_trouble("lag", "behind")
    elif fault in ("stage", "crash"):
        health.states["score"] = State(up=False, crash="ValueError()" if fault == "crash" else "")
    else:
        setattr(health, f"{fault}_problem", "no answer")
    await turns(watchdog, clock, 120)
    assert receiver.pings == []
    assert sample(metrics, "watchdog_pings_total", result="withheld") == 24
    health.troubles.clear("lag")
    health.states["score"] = State()
    health.broker_problem = health.archive_problem = ""
    await turns(watchdog, clock, 60)
    assert len(receiver.pings) == 1


async def test_a_ping_that_failed_is_tried_again_soon(
    watchdog: Watchdog, receiver: Listening, clock: Clock, metrics: Metrics
) -> None:
    receiver.status = 500
    await turns(watchdog, clock, 10)
    receiver.status = 200
    await turns(watchdog, clock, 10)
    assert len(receiver.pings) == 3
    assert sample(metrics, "watchdog_pings_total", result="failed") == 2


@pytest.mark.parametrize(
    "url",
    ["hc.example/s3cret", "http://[::1/s3cret", "http://h:99999/s3cret", "http:///s3cret", "https://h/\x00s3cret"],
)
def test_an_address_that_is_none_is_told_without_being_shown(health: Health, metrics: Metrics, url: str) -> None:
    with pytest.raises(SettingsError, match="MOODWIRE_WATCHDOG_URL") as told:
        Watchdog(url, 60, health, metrics)
    assert "s3cret" not in str(told.value)
