"""The transport that checks every address it connects to, unless an operator wrote it.

Names are resolved here, the answers are checked, and the connection goes to a checked address; TLS and the `Host`
header keep the name. Connections are never reused: a pool is keyed by address, and two names may share one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address

import httpx

from streams.net.networks import Network, literal_address, refusal
from streams.transport.asking import ask

__all__ = ["Address", "AddressRefused", "CheckedTransport", "Resolve", "resolve"]

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
_RESOLVE_SECONDS = 10.0


class AddressRefused(httpx.ConnectError):
    """An address that no operator wrote leads into a private, local or reserved network."""


async def resolve(host: str, port: int) -> Sequence[Address]:
    """All addresses of `host`, in the system's order; raises `httpx.ConnectError`."""
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await ask(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), "resolve")
    except TimeoutError:
        raise httpx.ConnectTimeout(f"{host}: no answer to its name in {_RESOLVE_SECONDS:g} s") from None
    except (OSError, UnicodeError) as error:
        raise httpx.ConnectError(f"{host} has no address: {error}") from None
    return [ipaddress.ip_address(entry[4][0]) for entry in found]


class CheckedTransport(httpx.AsyncBaseTransport):
    """Connects to the addresses of `written` as they are, and to others only outside the refused networks.

    `allowed` networks are never refused. With `proxy` the proxy resolves names and must guard its own network; here
    only literal addresses are checked. Cookies of answers are dropped.
    """

    def __init__(
        self,
        *,
        written: Iterable[str] = (),
        allowed: Sequence[Network] = (),
        proxy: str | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self._written = frozenset(filter(None, map(normalised, written)))
        self._allowed = tuple(allowed)
        self._proxied = proxy is not None
        self._resolve = resolve
        self._inner = httpx.AsyncHTTPTransport(
            verify=httpx.create_ssl_context(),  # SSL_CERT_FILE counts; proxies of the environment do not
            trust_env=False,
            proxy=proxy,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) in self._written:
            response = await self._inner.handle_async_request(request)
        elif self._proxied:
            self._check_literal(request.url.host)
            response = await self._inner.handle_async_request(request)
        else:
            response = await self._send_checked(request)
        response.headers.pop("set-cookie", None)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _check_literal(self, host: str) -> None:
        address = literal_address(host)
        if address is not None:
            self._permitted(host, [address])

    async def _send_checked(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        addresses = self._permitted(host, await self._resolve(host, port))
        for address in addresses[:-1]:
            try:
                return await self._inner.handle_async_request(_redirected_to(address, host, request))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # the name's next address, as a client without checks does
        return await self._inner.handle_async_request(_redirected_to(addresses[-1], host, request))

    def _permitted(self, host: str, addresses: Sequence[Address]) -> Sequence[Address]:
        """The addresses that may be reached; raises `AddressRefused` when none may."""
        found = [(address, refusal(address, self._allowed)) for address in addresses]
        permitted = [address for address, why in found if why is None]
        if permitted:
            return permitted
        reasons = ", ".join(f"{address} is {why.value}" for address, why in found[:3] if why is not None)
        raise AddressRefused(
            f"{host} is refused: {reasons or 'it has no address'}; if it is meant, write the address itself "
            "or add its network to MOODWIRE_ALLOWED_NETWORKS"
        )


def normalised(url: str) -> str:
    """As requests have it; empty for an address that none can have, which its own setting refuses."""
    try:
        return str(httpx.URL(url))
    except (httpx.InvalidURL, ValueError):
        return ""


def _redirected_to(address: Address, host: str, request: httpx.Request) -> httpx.Request:
    """The same request for a connection to `address`; its `Host` header is set already."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
