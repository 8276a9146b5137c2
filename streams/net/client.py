"""The HTTP client that all outgoing requests share."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import httpx

from alerts.delivery.http_post import masked_url
from streams.logs import filter_logger
from streams.net.options import NetOptions
from streams.net.transport import CheckedTransport, normalised

__all__ = ["open_client"]

_NO_OPTIONS = NetOptions()


class _HiddenAddresses(logging.Filter):
    """Masks paths and queries of written addresses, which hold keys, in the request lines that httpx logs."""

    def __init__(self) -> None:
        super().__init__()
        self._addresses: set[str] = set()

    def hide(self, written: Iterable[str]) -> None:
        self._addresses.update(filter(None, map(normalised, written)))

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                masked_url(str(value)) if str(value) in self._addresses else value for value in record.args
            )
        return True


_hidden = _HiddenAddresses()
filter_logger("httpx", _hidden)


def open_client(written: Iterable[str], options: NetOptions = _NO_OPTIONS) -> httpx.AsyncClient:
    """Returns a client that reaches the addresses of `written` as they are and checks all others, redirects too.

    It follows no redirect by itself, keeps no cookie and no connection, and reads no proxy from the environment. From
    then on logs show of the written addresses scheme and host alone.
    """
    addresses = list(written)
    _hidden.hide(addresses)
    transport = CheckedTransport(written=addresses, allowed=options.allowed, proxy=options.proxy)
    return httpx.AsyncClient(
        transport=transport, trust_env=False, follow_redirects=False, timeout=httpx.Timeout(30.0, connect=10.0)
    )
