"""The HTTP client that all outgoing requests share."""

from __future__ import annotations

from collections.abc import Iterable

import httpx

from streams.net.options import NetOptions
from streams.net.request_lines import shorten_request_lines
from streams.net.transport import CheckedTransport

__all__ = ["open_client"]

_NO_OPTIONS = NetOptions()


def open_client(written: Iterable[str], options: NetOptions = _NO_OPTIONS) -> httpx.AsyncClient:
    """Returns a client that reaches the addresses of `written` as they are and checks all others, redirects too.

    It follows no redirect by itself, keeps no cookie and no connection, and reads no proxy from the environment. From
    then on logs show of addresses scheme and host alone.
    """
    shorten_request_lines()
    transport = CheckedTransport(written=list(written), allowed=options.allowed, proxy=options.proxy)
    return httpx.AsyncClient(
        transport=transport, trust_env=False, follow_redirects=False, timeout=httpx.Timeout(30.0, connect=10.0)
    )
