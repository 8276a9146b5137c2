"""The checked transport against real servers on loopback, which counts as private unless it is allowed."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest

import streams
from streams.net.client import open_client
from streams.net.networks import parse_networks
from streams.net.options import NetOptions
from streams.net.transport import Address, AddressRefused, CheckedTransport
from tests.feeds.feed_server import Answer, FeedServer, running_feed_server

LOOPBACK = parse_networks("127.0.0.0/8", "X")


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with running_feed_server() as made:
        made.answers["/"] = Answer(body=b"hello")
        yield made


class Names:
    """A resolver that answers differently each time, as a hostile one does; counts its questions."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [ipaddress.ip_address(part) for part in answer.split(",")]


async def test_what_the_operator_wrote_is_reached_as_written(server: FeedServer) -> None:
    url = server.url("/")
    async with open_client([url]) as client:
        assert (await client.get(url)).text == "hello"
        with pytest.raises(AddressRefused, match=r"127\.0\.0\.1 is loopback.*MOODWIRE_ALLOWED_NETWORKS"):
            await client.get(server.url("/other"))


@pytest.mark.parametrize(
    "url",
    [
        "http://News.Example:80/RSS", "https://news.example:443", "http://b\xfccher.example/caf\xe9?q=\xe4 b", "http://x.example/a/../b",
        "http://u:p@x.example/%7Ea#part", "http://[::1]:80/", "http://x.example?a=1",
    ],
)  # fmt: skip
async def test_a_request_for_a_written_address_is_known_again(url: str) -> None:
    async with open_client([url]) as client:
        assert isinstance(client._transport, CheckedTransport)
        assert str(client.build_request("GET", url).url) in client._transport._written


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
async def test_a_foreign_address_is_refused_in_every_spelling(server: FeedServer, host: str) -> None:
    async with open_client([]) as client:
        with pytest.raises(AddressRefused):
            await client.get(f"http://{host}:{server.port}/")
    assert server.asked == []


async def test_allowed_networks_are_reached(server: FeedServer) -> None:
    async with open_client([], NetOptions(LOOPBACK)) as client:
        assert (await client.get(f"http://127.0.0.1:{server.port}/")).text == "hello"


async def test_the_connection_goes_to_the_checked_address_and_keeps_the_name(server: FeedServer) -> None:
    names = Names("127.0.0.1", "10.0.0.1")
    async with httpx.AsyncClient(transport=CheckedTransport(allowed=LOOPBACK, resolve=names)) as client:
        assert (await client.get(f"http://news.example:{server.port}/")).text == "hello"
        assert names.asked == ["news.example"]
        with pytest.raises(AddressRefused, match=r"10\.0\.0\.1 is private"):
            await client.get(f"http://news.example:{server.port}/")
    assert server.asked[0].headers["host"] == f"news.example:{server.port}"


async def test_refused_addresses_of_a_name_are_left_out_and_the_next_is_tried(server: FeedServer) -> None:
    names = Names("10.0.0.1,127.0.0.2,127.0.0.1")  # refused; nothing listens; the server
    async with httpx.AsyncClient(transport=CheckedTransport(allowed=LOOPBACK, resolve=names)) as client:
        assert (await client.get(f"http://news.example:{server.port}/")).text == "hello"


async def test_tls_verifies_the_name_and_not_the_address(
    tls_feed_server: tuple[FeedServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, authority = tls_feed_server
    server.answers["/"] = Answer(body=b"secret")
    monkeypatch.setenv("SSL_CERT_FILE", authority)
    names = Names("127.0.0.1")
    async with httpx.AsyncClient(transport=CheckedTransport(allowed=LOOPBACK, resolve=names)) as client:
        assert (await client.get(f"https://news.example:{server.port}/")).text == "secret"
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await client.get(f"https://other.example:{server.port}/")


async def test_proxies_of_the_environment_are_not_used(server: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    url = server.url("/")
    async with open_client([url]) as client:
        assert (await client.get(url)).text == "hello"


async def test_a_proxy_of_the_settings_is_used_and_literal_addresses_are_still_checked(server: FeedServer) -> None:
    server.answers["http://news.example/rss"] = Answer(body=b"through the proxy")
    async with open_client([], NetOptions(proxy=server.url(""))) as client:
        assert (await client.get("http://news.example/rss")).text == "through the proxy"
        for host in ("169.254.169.254", "2130706433", "[::1]"):
            with pytest.raises(AddressRefused):
                await client.get(f"http://{host}/")


async def test_cookies_are_not_kept(server: FeedServer) -> None:
    server.answers["/"] = Answer(headers={"Set-Cookie": "a=b; path=/"})
    url = server.url("/")
    async with open_client([url]) as client:
        for _ in range(2):
            await client.get(url)
        assert not client.cookies
    assert "cookie" not in server.asked[1].headers


def test_certificates_are_verified() -> None:
    context = httpx.create_ssl_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_no_other_module_opens_an_http_client() -> None:
    """What arrives from elsewhere must not be fetched by a client that checks nothing."""
    opens = re.compile(
        r"httpx\.(Async)?Client\(|httpx\.(get|post|request|stream)\(|ClientSession\(|urlopen\(|\brequests\.(get|post|Session)"
    )
    root = Path(streams.__file__).parent
    found = {str(path.relative_to(root)) for path in root.rglob("*.py") if opens.search(path.read_text())}
    # Kibana's address is the operator's, that of a board its caller's.
    assert found == {"net/client.py", "archive/elastic/kibana.py", "library/client.py"}
