"""Alerts by HTTP POST, signed as Standard Webhooks asks (https://www.standardwebhooks.com, version 1).

webhook-id         the notification's id, the same in every attempt
webhook-timestamp  seconds since the epoch, of this attempt
webhook-signature  v1,base64(HMAC-SHA256(secret, "id.timestamp.body"))

`alerts.delivery.http_post` says what an answer means.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Final

import httpx
import msgspec

from alerts.delivery.channel import Delivery, Notification, fingerprint
from alerts.delivery.group import AlertGroup
from alerts.delivery.http_post import HttpPost, masked_url
from alerts.delivery.notice import Notice
from alerts.errors import DeliveryError
from alerts.records import AlertEvent

__all__ = ["AlertPost", "GroupPost", "NoticePost", "WebhookChannel", "decode_secret", "sign"]

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = (24, 64)


class AlertPost(msgspec.Struct, frozen=True):
    """The body of a post about an alert; `type` is ``alert.`` and the event's change."""

    type: str
    timestamp: str
    data: AlertEvent


class GroupPost(msgspec.Struct, frozen=True):
    """The body of a post about several alerts; `type` is ``group.`` and the message's change."""

    type: str
    timestamp: str
    data: AlertGroup


class NoticePost(msgspec.Struct, frozen=True):
    """The body of a post about moodwire itself; `type` is ``moodwire.opened`` or ``moodwire.resolved``."""

    type: str
    timestamp: str
    data: Notice


class WebhookChannel:
    """Posts each event as JSON: ``{"type": "alert.opened", "timestamp": "…Z", "data": {the alert}}``;
    what moodwire says about itself as ``moodwire.opened`` and ``moodwire.resolved``.

    `secret` is ``whsec_`` and 24 to 64 bytes of base64; without one the posts are not signed. Raises `DeliveryError`
    for a URL or secret that cannot work; neither is ever shown.
    """

    def __init__(
        self,
        url: str,
        secret: str | None = None,
        *,
        name: str = "webhook",
        timeout_seconds: float = 10.0,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self.name = name
        self._http = HttpPost(url, timeout_seconds=timeout_seconds, client=client)
        self._key = decode_secret(secret) if secret is not None else None

    def __repr__(self) -> str:
        return f"WebhookChannel({masked_url(self._http.url)!r}, signed={self._key is not None})"

    @property
    def endpoint(self) -> str:
        """Another one when the address or the secret is corrected."""
        return fingerprint(self._http.url, self._key or b"")

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        """Posts once."""
        body = _body(notification, now_ms)
        headers = self._headers(notification.id, now_ms // 1000, body)
        return await self._http.post(body, headers, notification, now_ms)

    async def aclose(self) -> None:
        await self._http.aclose()

    def _headers(self, identity: str, at_seconds: int, body: bytes) -> dict[str, str]:
        headers = {
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


def _body(notification: Notification, now_ms: int) -> bytes:
    at = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = notification.event
    if isinstance(event, Notice):
        return msgspec.json.encode(NoticePost(f"moodwire.{event.change}", at, event))
    if isinstance(event, AlertGroup):
        return msgspec.json.encode(GroupPost(f"group.{event.change}", at, event))
    return msgspec.json.encode(AlertPost(f"alert.{event.change}", at, event))
