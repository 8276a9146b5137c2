"""An HTTP POST to one address, and what its answer means for a notification: shared by all channels that post.

2xx             delivered; where an API answers, only if it says so: a page of HTML is somebody else's
410             give up: the receiver wants no more
429, 503        wait as long as Retry-After says, at most a day
3xx             try again; a redirect could carry the alert elsewhere and is not followed
4xx, 5xx        try again: the receiver may be repaired; whoever plans the notifications ends it at a deadline
no answer       try again

400, 409, 413, 415, 422 and the like are about one notification; all else means that the receiver is down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import httpx

from alerts.delivery.channel import Delivered, Delivery, GiveUp, Notification, RetryLater, back_off_seconds
from alerts.delivery.retry_after import retry_after_seconds
from alerts.errors import DeliveryError

__all__ = ["HttpPost", "checked_url", "masked_url"]

_RECEIVER_IS_DOWN: Final = frozenset({401, 402, 403, 404, 405, 407, 408, 425, 429})
"""Client errors that every notification would get: a wrong address or secret, too much at once."""
_MOST_READ: Final = 64 << 10


class HttpPost:
    """Posts JSON to `url`. Raises `DeliveryError` for a URL that cannot work; it is never shown, nor part of an answer.

    `refused` reads the body of a 2xx of an API: why it was not taken after all, empty where it was.
    `client` sends; httpx logs the addresses that it asks for, and moodwire's own client (`streams.net`) masks them.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float = 10.0,
        client: httpx.AsyncClient | None = None,
        refused: Callable[[bytes], str] | None = None,
    ) -> None:
        self.url = checked_url(url)
        self._refused = refused
        self._client = client or httpx.AsyncClient(trust_env=False)
        self._timeout_seconds = timeout_seconds

    async def post(self, body: bytes, headers: Mapping[str, str], notification: Notification, now_ms: int) -> Delivery:
        """Posts once; status and headers are the answer, the body is read where the answer is an API's."""
        post = self._client.stream(
            "POST",
            self.url,
            content=body,
            headers={"content-type": "application/json", "user-agent": "moodwire", **headers},
            timeout=self._timeout_seconds,
            follow_redirects=False,
        )
        try:
            async with asyncio.timeout(self._timeout_seconds), post as response:
                answer = _answer(response, notification, now_ms)
                if self._refused is None or not isinstance(answer, Delivered):
                    return answer
                return _taken(response, self._refused(await _start_of(response)), notification)
        except (httpx.TimeoutException, TimeoutError):
            return RetryLater(back_off_seconds(notification), f"no answer in {self._timeout_seconds:g} s")
        except httpx.HTTPError as error:
            return RetryLater(back_off_seconds(notification), f"no connection: {type(error).__name__}")

    async def aclose(self) -> None:
        await self._client.aclose()


def masked_url(url: str) -> str:
    """Scheme and host: paths, queries and credentials of webhooks are secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "") + "/***"


def checked_url(url: str) -> str:
    """Returns the address; raises `DeliveryError`, which does not show it."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        fits = False
    if not fits:
        raise DeliveryError("the URL must look like https://host/path (its value is not shown here)")
    return url


async def _start_of(response: httpx.Response) -> bytes:
    """Returns the body, of a long one the beginning."""
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= _MOST_READ:
            break
    return body[:_MOST_READ]


def _taken(response: httpx.Response, problem: str, notification: Notification) -> Delivery:
    """What a 2xx means whose body says that much."""
    status = response.status_code
    if response.headers.get("content-type", "").lower().startswith("text/html"):
        text = f"answered {status} with a page of HTML; is this the address of the API?"
        return RetryLater(back_off_seconds(notification), text)
    if problem:
        return RetryLater(back_off_seconds(notification), f"answered {status}: {problem}", down=False)
    return Delivered()


def _answer(response: httpx.Response, notification: Notification, now_ms: int) -> Delivery:
    status = response.status_code
    if response.is_success:
        return Delivered()
    if status == httpx.codes.GONE:
        return GiveUp("410: the receiver wants no more")
    if response.is_redirect:
        return RetryLater(back_off_seconds(notification), f"{status}: redirects are not followed; use the final URL")
    wait = retry_after_seconds(response.headers.get("retry-after"), now_ms)
    down = not response.is_client_error or status in _RECEIVER_IS_DOWN
    return RetryLater(back_off_seconds(notification) if wait is None else wait, f"answered {status}", down)
