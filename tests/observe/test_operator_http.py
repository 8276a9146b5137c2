"""The operator's HTTP over a real socket: what is missing, in words; a taken port is told with its setting."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from streams.errors import SettingsError
from streams.observe.connections import most_connections
from streams.observe.health import Health
from streams.observe.http import OperatorServer, PortTaken
from streams.observe.stage import ObservedStage
from tests.observe.watched import Clock, State, ToldStage, metrics_of, run_of, troubles_of


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(troubles_of(metrics_of(clock), clock), clock)


@pytest.fixture
async def client(health: Health) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        OperatorServer(health, health.troubles._metrics.registry, "127.0.0.1", 0) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        yield client


async def get(client: httpx.AsyncClient, path: str) -> tuple[int, Any]:
    answer = await client.get(path)
    return answer.status_code, answer.json()


async def test_a_process_that_is_starting_is_healthy_and_not_ready(health: Health, client: httpx.AsyncClient) -> None:
    health.states["score"] = State(up=False)
    assert (await get(client, "/health"))[0] == 200
    status, body = await get(client, "/ready")
    assert status == 503
    assert body["ready"] is False
    assert body["stages"] == {"score": "down"}
    assert [line.split()[0] for line in body["missing"]] == ["stage", "broker:", "archive:"]


async def test_ready_when_all_has_answered(health: Health, client: httpx.AsyncClient) -> None:
    health.states["score"] = State()
    health.broker_problem = health.archive_problem = ""
    assert await get(client, "/ready") == (
        200,
        {"ready": True, "missing": [], "stages": {"score": "up"}, "troubles": []},
    )


async def test_a_crashed_stage_is_neither(health: Health, client: httpx.AsyncClient) -> None:
    health.states |= {"score": State(), "watch": State(up=False, crash="KeyError('x')")}
    status, body = await get(client, "/health")
    assert (status, body["crashed"]) == (503, {"watch": "KeyError('x')"})
    assert "stage watch crashed: KeyError('x')" in (await get(client, "/ready"))[1]["missing"]


async def test_trouble_is_shown_and_does_not_take_readiness_away(health: Health, client: httpx.AsyncClient) -> None:
    health.states["score"] = State()
    health.broker_problem = health.archive_problem = ""
    health.troubles.raise_trouble("lag", "group is 200,000 records behind", "group")
    status, body = await get(client, "/ready")
    assert status == 200
    assert body["troubles"][0]["detail"] == "group is 200,000 records behind"
    assert not health.well


async def test_metrics_come_as_prometheus_reads_them(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "moodwire_build_info" in answer.text


@pytest.mark.parametrize("path", ["/", "/metrics/x", "/ready/../../etc/passwd"])
async def test_there_is_nothing_else(path: str, client: httpx.AsyncClient) -> None:
    assert (await client.get(path)).status_code == 404


async def test_a_taken_port_names_the_setting(health: Health) -> None:
    registry = health.troubles._metrics.registry
    async with OperatorServer(health, registry, "127.0.0.1", 0) as first:
        with pytest.raises(PortTaken, match=f"MOODWIRE_HTTP_PORT={first.port}"):
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(OperatorServer(health, registry, "127.0.0.1", first.port))


async def test_an_address_that_is_not_ours_names_the_setting(health: Health) -> None:
    server = OperatorServer(health, health.troubles._metrics.registry, "192.0.2.1", 0)
    with pytest.raises(SettingsError, match=r"MOODWIRE_HTTP_HOST=192\.0\.2\.1"):
        await server.__aenter__()


async def test_a_stage_that_owns_partitions_and_stands_still_is_stalled(health: Health, clock: Clock) -> None:
    metrics = health.troubles._metrics
    stages = {
        name: ObservedStage(name, ToldStage(), metrics, health.troubles, clock=clock)
        for name in ("score", "watch", "deliver")
    }
    health.stages |= stages
    await stages["score"].idle(0, clock())
    await stages["watch"].handle(run_of(0, 1))
    clock.pass_seconds(100)
    await stages["watch"].idle(0, clock())
    clock.pass_seconds(30)
    assert health.stalled() == ["score"]  # `deliver` owns nothing: another worker has its partitions
    stages["score"].forget(0)
    assert health.stalled() == []


# -- connections that cost more than they should


@pytest.fixture
async def limited(health: Health) -> AsyncIterator[OperatorServer]:
    registry = health.troubles._metrics.registry
    async with OperatorServer(health, registry, "127.0.0.1", 0, connection_seconds=0.3, most=8) as server:
        yield server


Dial = Callable[[OperatorServer, bytes], Awaitable[asyncio.StreamReader]]


@pytest.fixture
async def half_open() -> AsyncIterator[Dial]:
    """Connects, sends the bytes, and keeps the connection open to the test's end."""
    writers: list[asyncio.StreamWriter] = []

    async def dial(server: OperatorServer, sends: bytes) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writers.append(writer)
        writer.write(sends)
        await writer.drain()
        return reader

    yield dial
    for writer in writers:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def is_closed(reader: asyncio.StreamReader) -> bool:
    with contextlib.suppress(ConnectionError):
        return b"HTTP/1.1 200" not in await asyncio.wait_for(reader.read(), 20)
    return True


@pytest.mark.parametrize(
    "sends",
    [b"", b"GET /health HTTP/1.1\r\nHost: x\r\nA: ", b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"],
)
async def test_a_half_open_connection_is_closed(limited: OperatorServer, half_open: Dial, sends: bytes) -> None:
    assert await is_closed(await half_open(limited, sends))


async def test_a_connection_kept_alive_is_closed_too(limited: OperatorServer, half_open: Dial) -> None:
    reader = await half_open(limited, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 20)
    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_flood_of_half_open_connections_delays_no_health_check(health: Health, half_open: Dial) -> None:
    registry = health.troubles._metrics.registry
    async with OperatorServer(health, registry, "127.0.0.1", 0, most=8) as server:
        flood = [await half_open(server, b"GET /health HTTP/1.1\r\n") for _ in range(50)]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
            assert (await client.get("/health", timeout=20)).status_code == 200
        closed = [await is_closed(reader) for reader in flood[:40]]
        assert all(closed)


async def test_what_is_being_answered_is_not_closed_for_another(health: Health, half_open: Dial) -> None:
    asked, goes_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class Slow(Collector):
        def collect(self) -> Iterator[Metric]:
            loop.call_soon_threadsafe(asked.set)
            goes_on.wait()
            return iter(())

    registry = CollectorRegistry()
    async with OperatorServer(health, registry, "127.0.0.1", 0, most=4) as server:
        registry.register(Slow())
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=20) as client:
            asking = asyncio.ensure_future(client.get("/metrics"))
            await asked.wait()
            flood = [await half_open(server, b"GET ") for _ in range(20)]
            assert all([await is_closed(reader) for reader in flood[:15]])
            goes_on.set()
            assert (await asking).status_code == 200


def test_connections_are_few_where_descriptors_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, most in ((64, 8), (16, 4), (256, 32), (1024, 64), (resource.RLIM_INFINITY, 64)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, resource.RLIM_INFINITY))
        assert most_connections() == most


@pytest.mark.parametrize("head", [b"A: " + b"x" * 9_000, b"\r\n".join(b"X%d: y" % n for n in range(200))])
async def test_heads_are_bounded(limited: OperatorServer, half_open: Dial, head: bytes) -> None:
    reader = await half_open(limited, b"GET /health HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 20)).startswith(b"HTTP/1.0 400")
