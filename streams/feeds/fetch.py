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

__all__ = ["BODY_LIMIT", "FetchFailed", "Fetched", "fetch"]

BODY_LIMIT = 10 * 1024 * 1024  # bytes, after decompression
_MOST_REDIRECTS = 5
_PERMANENT = (301, 308)
_REDIRECTS = (301, 302, 303, 307, 308)
_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
_HEADERS = {"User-Agent": "moodwire", "Accept": _ACCEPT, "A-IM": "feed"}


class FetchFailed(MoodwireError):
    """A feed gave no document this time. `retry_after_seconds` is what the server asked for."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None, gone: bool = False) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.gone = gone


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, or that it has not changed (`body` None). `moved_to`: all redirects on the way were permanent."""

    body: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)
    moved_to: str | None = None

    @property
    def etag(self) -> str | None:
        return self.headers.get("etag")

    @property
    def modified(self) -> str | None:
        return self.headers.get("last-modified")


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
    """Fetches `url`, where `feed` stands now, unless it is as it was; raises `FetchFailed`.

    Redirects are followed by hand: a permanent one is to be remembered, and the feed's own headers, which may hold
    secrets, go to its own host only.
    """
    validators = {"If-None-Match": etag, "If-Modified-Since": modified}
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
    target = str(response.url.join(location)) if location else ""
    if not target.startswith(("http://", "https://")):
        raise FetchFailed(f"HTTP {response.status_code} to no usable address: {location[:200]!r}")
    return target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


async def _answer(response: httpx.Response, moved_to: str | None, now_ms: int, body_limit: int) -> Fetched:
    status = response.status_code
    headers = {name.lower(): value for name, value in response.headers.items()}
    if status == 304:
        return Fetched(None, headers, moved_to)
    if status == 410:
        raise FetchFailed("HTTP 410: the feed is gone for good", gone=True)
    if status != 200:
        wait = retry_after_seconds(headers.get("retry-after"), now_ms)
        raise FetchFailed(f"HTTP {status} {response.reason_phrase}".rstrip(), retry_after_seconds=wait)
    return Fetched(await _body(response, body_limit), headers, moved_to)


async def _body(response: httpx.Response, body_limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > body_limit:
            raise FetchFailed(f"the document has over {body_limit / 1024 / 1024:g} MiB")
    return bytes(body)
