"""What HTTP clients log of their requests: paths and queries of feeds and webhooks hold keys.

    httpx, httpcore.…, urllib3.… ─► filter on their loggers: secrets masked, addresses cut, no headers ─► any handler

The filter is on the loggers, so it holds for the handlers of a program that uses moodwire as a library, too.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from streams.logs import filter_logger

__all__ = ["shorten_request_lines"]

_LOGGERS = (
    "httpx",
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    *(f"urllib3.{part}" for part in ("connection", "connectionpool", "poolmanager", "response", "util.retry")),
)
"""A logger's filter does not see what the loggers below it log, so each is named."""
_PATH = re.compile(r"""(https?://[^/?\#\s"'<>)\]]+)[^\s"'<>)\]]+""", re.IGNORECASE)
_BARE_PATH = re.compile(r"(?<=[\s\"'])/[^\s\"']*")  # as urllib3 logs them: "POST /services/… HTTP/1.1" 200
_HEADERS = re.compile(r"\[\(b'.*\)\]")  # of an answer, as httpcore logs them: redirects and cookies hold secrets


class _ShortLines(logging.Filter):
    """Cuts every address to scheme and host, after `mask` has taken out secret ones whole."""

    def __init__(self) -> None:
        super().__init__()
        self.mask: Callable[[str], str] = str

    def filter(self, record: logging.LogRecord) -> bool:
        shown = _HEADERS.sub("[…]", self.mask(record.getMessage()))
        record.msg, record.args = _BARE_PATH.sub("/***", _PATH.sub(r"\1/***", shown)), ()
        return True


_short = _ShortLines()


def shorten_request_lines(mask: Callable[[str], str] | None = None) -> None:
    """From now on lines of HTTP clients show of an address scheme and host alone, and nothing that `mask` takes out."""
    if mask is not None:
        _short.mask = mask
    for name in _LOGGERS:
        filter_logger(name, _short)
