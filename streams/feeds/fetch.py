"""One conditional GET of a feed, bounded in time, size and redirects."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from alerts.delivery.retry_after import retry_after_seconds
from streams.errors import MoodwireError
from streams.feeds.feedlist import Feed
from streams.feeds.inflate import ACCEPT_ENCODING, read_body
from streams.terminal import visible

__all__ = ["BODY_LIMIT", "FetchFailed", "Fetched", "fetch", "validator"]

BODY_LIMIT = 10 * 1024 * 1024  # bytes, after decompression
_MOST_REDIRECTS = 5
_PERMANENT = (301, 308)
_REDIRECTS = (301, 302, 303, 307, 308)
_LONGEST_ADDRESS = 2_000
_LONGEST_VALIDATOR = 500  # an ETag is kept and sent back; none is longer
_LONGEST_MESSAGE = 300  # of an error; reason phrases of 50 KB have been seen
_LONGEST_HEADER = 200
_KEPT_HEADERS = ("content-type", "etag", "last-modified")
_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
_HEADERS = {"User-Agent": "moodwire", "Accept": _ACCEPT, "Accept-Encoding": ACCEPT_ENCODING, "A-IM": "feed"}


class FetchFailed(MoodwireError):
    """A feed gave no document this time. `retry_after_seconds` is what the server asked for.

    The message is at most 300 printable characters, whatever the server answered.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None, gone: bool = False) -> None:
        super().__init__(printable(message, _LONGEST_MESSAGE))
        self.retry_after_seconds = retry_after_seconds
        self.gone = gone


def printable(text: str, limit: int) -> str:
    """The first `limit` characters of a foreign text on one line; others than printable ones are escaped."""
    shown = visible(text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, or that it has not changed (`body` None). `url` is where it was, after redirects.

    `moved_to`: all redirects on the way were permanent. `headers` are the few that are kept, names in lower case.
    """

    body: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)
    moved_to: str | None = None
    url: str = ""

    @property
    def etag(self) -> str | None:
        return validator(self.headers.get("etag"))

    @property
    def modified(self) -> str | None:
        return validator(self.headers.get("last-modified"))


def validator(value: str | None) -> str | None:
    """An ETag or Last-Modified that can be sent back: printable ASCII of a bounded length; None for another."""
    if value and len(value) <= _LONGEST_VALIDATOR and value.isascii() and value.isprintable():
        return value
    return None


async def fetch(
    client: httpx.AsyncClient,
    feed: Feed,
    *,
    url: str,
    etag: str | None,
    modified: str | None,
    now_ms: int,
    timeout_seconds: float = 60.0,
    body_limit: int = BODY_LIMIT,
) -> Fetched:
    """Fetches `url`, the feed's present address, unless it is unchanged; raises `FetchFailed`.

    Redirects are followed by hand: a permanent one is to be remembered, the feed's own headers, which may hold
    secrets, go to its own host only, and none leads from HTTPS to HTTP. The client checks where they lead.
    """
    validators = {"If-None-Match": validator(etag), "If-Modified-Since": validator(modified)}
    headers = _HEADERS | {name: value for name, value in validators.items() if value}
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _follow(client, feed, url, headers, now_ms, body_limit)
    except TimeoutError:
        raise FetchFailed(f"no answer within {timeout_seconds:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise FetchFailed(f"{type(error).__name__}: {error}") from None


async def _follow(
    client: httpx.AsyncClient, feed: Feed, url: str, headers: Mapping[str, str], now_ms: int, body_limit: int
) -> Fetched:
    permanent = True
    for hop in range(_MOST_REDIRECTS + 1):
        own = feed.headers if _origin(url) == _origin(feed.url) else {}
        async with client.stream("GET", url, headers={**headers, **own}, follow_redirects=False) as response:
            if response.status_code not in _REDIRECTS:
                moved_to = url if hop and permanent else None
                return await _answer(response, moved_to, now_ms, body_limit)
            permanent = permanent and response.status_code in _PERMANENT
            url = _target(response)
    raise FetchFailed(f"more than {_MOST_REDIRECTS} redirects")


def _target(response: httpx.Response) -> str:
    location = response.headers.get("location", "")
    target = str(response.url.join(location)) if 0 < len(location) <= _LONGEST_ADDRESS else ""
    if not target.startswith(("http://", "https://")):
        raise FetchFailed(f"HTTP {response.status_code} to no usable address: {location[:_LONGEST_HEADER]!r}")
    if response.url.scheme == "https" and not target.startswith("https://"):
        raise FetchFailed(f"HTTP {response.status_code} from HTTPS to HTTP is not followed; write the http:// address")
    return target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


async def _answer(response: httpx.Response, moved_to: str | None, now_ms: int, body_limit: int) -> Fetched:
    status = response.status_code
    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    if status == 304:
        return Fetched(None, kept, moved_to, str(response.url))
    if status == 410:
        raise FetchFailed("HTTP 410: the feed is gone for good", gone=True)
    if status != 200:
        wait = retry_after_seconds(response.headers.get("retry-after"), now_ms)
        reason = printable(response.reason_phrase, _LONGEST_HEADER)
        raise FetchFailed(f"HTTP {status} {reason}".rstrip(), retry_after_seconds=wait)
    return Fetched(await read_body(response, body_limit), kept, moved_to, str(response.url))
