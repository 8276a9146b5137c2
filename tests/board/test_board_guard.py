"""What the board refuses before any handler: foreign names and pages, tokens in addresses, too much of anything."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.board.guard import SECURITY_HEADERS, Guard
from streams.board.problem import Problem
from streams.board.rate import Rate, RateLimit
from tests.board.board_server import Served, serving, settings_in


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(settings_in(tmp_path)) as served:
        yield served


def refused(guard: Guard, *headers: tuple[str, str], method: str = "GET", target: str = "/") -> int:
    """The status of the refusal; 0 where there is none."""
    try:
        guard.check(method, target, headers, [])
    except Problem as problem:
        return problem.status
    return 0


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8770", 0),
        ("LOCALHOST", 0),
        ("news.localhost", 0),
        ("127.0.0.1:8770", 0),
        ("[::1]:8770", 0),
        ("10.2.3.4", 0),
        ("news.example:443", 0),
        ("news.example.", 0),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 400),
        ("[::1", 400),
    ],
)
def test_host_is_a_name_of_ours_or_an_address(host: str, status: int) -> None:
    assert refused(Guard.of("news.example, other.example:8443"), ("Host", host)) == status


def test_two_hosts_are_refused() -> None:
    assert refused(Guard.of(""), ("Host", "localhost"), ("host", "evil.example")) == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 0),
        ([("Sec-Fetch-Site", "same-origin")], 0),
        ([("Sec-Fetch-Site", "none")], 0),
        ([("Sec-Fetch-Site", "same-site")], 403),
        ([("Sec-Fetch-Site", "cross-site")], 403),
        ([("Origin", "http://localhost:8770")], 0),
        ([("Origin", "https://news.example")], 0),
        ([("Origin", "http://localhost:9999")], 403),
        ([("Origin", "https://evil.example")], 403),
        ([("Origin", "null")], 403),
        ([("Origin", "http://[")], 403),
    ],
)
def test_a_change_comes_from_our_own_page_or_from_none(headers: list[tuple[str, str]], status: int) -> None:
    guard = Guard.of("news.example")
    assert refused(guard, ("Host", "localhost:8770"), *headers, method="POST") == status
    assert refused(guard, ("Host", "localhost:8770"), *headers) == 0


def test_a_token_in_an_address_is_refused() -> None:
    token = "mwt_" + "a" * 43
    for target in (f"/v1/items?q={token}", f"/v1/items/{token}", f"/v1/items?q=%6Dwt_{'a' * 43}"):
        assert refused(Guard.of(""), ("Host", "localhost"), target=target) == 400


async def test_every_answer_has_the_security_headers(board: Served) -> None:
    for path in ("", "v1/status", "nothing", "page/app.js", "openapi.json", "v1/status?x=1"):
        async with board.client.get(path) as answer:
            assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


async def test_a_foreign_name_and_a_foreign_page_are_answered_with_problems(board: Served) -> None:
    async with board.client.get("v1/status", headers={"Host": "evil.example"}) as answer:
        assert (answer.status, (await answer.json(content_type=None))["errors"][0]["pointer"]) == (421, "/Host")
    async with board.client.post("logout", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
        assert answer.status == 403
    async with board.client.get("v1/status?token=x") as answer:
        assert answer.status == 400


async def test_method_size_type_and_coding_of_a_body(board: Served) -> None:
    async with board.client.put("v1/status") as answer:
        assert (answer.status, answer.content_type) == (405, "application/problem+json")
        assert answer.headers["Allow"] == "GET, HEAD"
    large = io.BytesIO(b"x" * (5 << 20))
    async with board.client.post("login", data=large, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 413
    async with board.client.post("login", data=b"{}", headers={"Content-Type": "text/plain"}) as answer:
        assert answer.status == 415
    async with board.client.post("login", json={"token": 1}) as answer:
        problem = await answer.json(content_type=None)
        assert (answer.status, problem["errors"][0]["pointer"]) == (422, "/token")
    async with board.client.post("login", json={"token": "x"}, headers={"Content-Encoding": "gzip"}) as answer:
        assert answer.status == 415
    async with board.client.post("login", data=b"{", headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 400


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
    ],
)
async def test_what_the_parser_refuses_is_a_problem(board: Served, sent: bytes, status: int) -> None:
    reader, writer = await asyncio.open_connection(board.server.host, board.server.port)
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    assert head.split()[1] == str(status).encode()
    assert b"application/problem+json" in head
    assert b"Content-Security-Policy" in head


def test_a_rate_fills_up_again_and_is_an_addresss_own() -> None:
    now = 0.0
    limit = RateLimit(Rate(per_second=2.0, burst=3), lambda: now)
    assert [limit.wait_seconds("10.0.0.1") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert limit.wait_seconds("10.0.0.2") == 0.0
    now = 0.5
    assert limit.wait_seconds("10.0.0.1") == 0.0


def test_addresses_of_one_network_of_v6_share_a_rate() -> None:
    limit = RateLimit(Rate(per_second=1.0, burst=1), lambda: 0.0)
    assert limit.wait_seconds("2001:db8::1") == 0.0
    assert limit.wait_seconds("2001:db8::2") > 0.0
