"""Alerts by HTTP POST, signed as Standard Webhooks asks (https://www.standardwebhooks.com, version 1).

webhook-id         the notification's id, the same in every attempt
webhook-timestamp  seconds since the epoch, of this attempt
webhook-signature  v1,base64(HMAC-SHA256(secret, "id.timestamp.body"))

2xx             delivered
410             give up: the receiver wants no more
429, 503        wait as long as Retry-After says, at most a day
3xx             try again; a redirect could carry the alert elsewhere and is not followed
4xx, 5xx        try again: the receiver may be repaired; whoever plans the notifications ends it at a deadline
no answer       try again

400, 409, 413, 415, 422 and the like are about one notification; all else means that the receiver is down.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from alerts.delivery.channel import Delivered, Delivery, GiveUp, Notification, RetryLater, back_off_seconds, fingerprint
from alerts.delivery.notice import Notice
from alerts.delivery.retry_after import retry_after_seconds
from alerts.errors import DeliveryError
from alerts.records import AlertEvent

__all__ = ["AlertPost", "NoticePost", "WebhookChannel", "decode_secret", "masked_url", "sign"]

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = (24, 64)
_RECEIVER_IS_DOWN: Final = frozenset({401, 402, 403, 404, 405, 407, 408, 425, 429})
"""Client errors that every notification would get: a wrong address or secret, too much at once."""


class AlertPost(msgspec.Struct, frozen=True):
    """The body of a post about an alert; `type` is ``alert.`` and the event's change."""

    type: str
    timestamp: str
    data: AlertEvent


class NoticePost(msgspec.Struct, frozen=True):
    """The body of a post about moodwire itself; `type` is ``moodwire.opened`` or ``moodwire.resolved``."""

    type: str
    timestamp: str
    data: Notice


class WebhookChannel:
    """Posts each event as JSON: ``{"type": "alert.opened", "timestamp": "…Z", "data": {the alert}}``;
    what moodwire says about itself as ``moodwire.opened`` and ``moodwire.resolved``.

    `secret` is ``whsec_`` and 24 to 64 bytes of base64; without one the posts are not signed. `client` sends; httpx
    logs the addresses that it asks for, and moodwire's own client (`streams.net`) masks them. Raises `DeliveryError`
    for a URL or secret that cannot work; neither is ever shown.
    """

    def __init__(
        self,
        url: str,
        secret: str | None = None,
        *,
        timeout_seconds: float = 10.0,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._url = _checked_url(url)
        self._key = decode_secret(secret) if secret is not None else None
        self._client = client or httpx.AsyncClient(trust_env=False)
        self._timeout_seconds = timeout_seconds

    def __repr__(self) -> str:
        return f"WebhookChannel({masked_url(self._url)!r}, signed={self._key is not None})"

    @property
    def name(self) -> str:
        return "webhook"

    @property
    def endpoint(self) -> str:
        """Another one when the address or the secret is corrected."""
        return fingerprint(self._url, self._key or b"")

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        """Posts once; status and headers are the answer, the response's body is not read."""
        body = _body(notification, now_ms)
        headers = self._headers(notification.id, now_ms // 1000, body)
        post = self._client.stream(
            "POST",
            self._url,
            content=body,
            headers=headers,
            timeout=self._timeout_seconds,
            follow_redirects=False,
        )
        try:
            async with asyncio.timeout(self._timeout_seconds), post as response:
                return _answer(response, notification, now_ms)
        except (httpx.TimeoutException, TimeoutError):
            return RetryLater(back_off_seconds(notification), f"no answer in {self._timeout_seconds:g} s")
        except httpx.HTTPError as error:
            return RetryLater(back_off_seconds(notification), f"no connection: {type(error).__name__}")

    async def aclose(self) -> None:
        await self._client.aclose()

    def _headers(self, identity: str, at_seconds: int, body: bytes) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "user-agent": "moodwire",
            "webhook-id": identity,
            "webhook-timestamp": str(at_seconds),
        }
        if self._key is not None:
            headers["webhook-signature"] = sign(self._key, identity, at_seconds, body)
        return headers


def sign(key: bytes, identity: str, at_seconds: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    content = f"{identity}.{at_seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def decode_secret(secret: str) -> bytes:
    """The key inside ``whsec_…``. Raises `DeliveryError` without showing it."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    low, high = _SECRET_BYTES
    if not secret.startswith(_PREFIX) or not low <= len(key) <= high:
        raise DeliveryError(
            f"the webhook secret must be {_PREFIX} followed by the base64 of {low} to {high} random bytes; "
            "make one with: echo whsec_$(openssl rand -base64 32)"
        )
    return key


def masked_url(url: str) -> str:
    """Scheme and host: paths, queries and credentials of webhooks are secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "") + "/***"


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        fits = False
    if not fits:
        raise DeliveryError("the webhook URL must look like https://host/path (its value is not shown here)")
    return url


def _body(notification: Notification, now_ms: int) -> bytes:
    at = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = notification.event
    if isinstance(event, Notice):
        return msgspec.json.encode(NoticePost(f"moodwire.{event.change}", at, event))
    return msgspec.json.encode(AlertPost(f"alert.{event.change}", at, event))


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
