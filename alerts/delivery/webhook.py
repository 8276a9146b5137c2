"""Alerts by HTTP POST, signed as Standard Webhooks asks (https://www.standardwebhooks.com, version 1).

webhook-id         the notification's id, the same in every attempt
webhook-timestamp  seconds since the epoch, of this attempt
webhook-signature  v1,base64(HMAC-SHA256(secret, "id.timestamp.body"))

The body is JSON of our own, or a CloudEvent 1.0 in structured mode (https://cloudevents.io), signed in the same way.
`alerts.delivery.http_post` says what an answer means.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Final, Literal

import httpx
import msgspec
from standardwebhooks.webhooks import Webhook

from alerts.delivery.brief import iso_time
from alerts.delivery.channel import Delivery, Notification, fingerprint
from alerts.delivery.group import AlertGroup
from alerts.delivery.http_post import HttpPost, masked_url
from alerts.delivery.notice import Notice
from alerts.errors import DeliveryError
from alerts.records import AlertEvent

__all__ = [
    "AlertPost",
    "BodyFormat",
    "CloudEvent",
    "GroupPost",
    "NoticePost",
    "WebhookChannel",
    "cloud_event",
    "decode_secret",
]

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


class CloudEvent(msgspec.Struct, frozen=True):
    """A CloudEvent: `id` is the notification's, `source` names this moodwire, `time` is when the event happened."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    data: AlertEvent | AlertGroup | Notice
    datacontenttype: str = "application/json"
    specversion: str = "1.0"


BodyFormat = Literal["standard", "cloudevents"]
_CONTENT_TYPES: Final[dict[BodyFormat, str]] = {
    "standard": "application/json",
    "cloudevents": "application/cloudevents+json",
}


class WebhookChannel:
    """Posts each event as JSON: ``{"type": "alert.opened", "timestamp": "…Z", "data": {the alert}}``;
    what moodwire says about itself as ``moodwire.opened`` and ``moodwire.resolved``.

    With `body_format` ``cloudevents`` a CloudEvent of the type ``moodwire.alert.opened``, ``moodwire.group.opened`` or
    ``moodwire.notice.opened`` from `source`. `secret` is ``whsec_`` and 24 to 64 bytes of base64; without one the posts
    are not signed. Raises `DeliveryError` for a URL or secret that cannot work; neither is ever shown.
    """

    def __init__(
        self,
        url: str,
        secret: str | None = None,
        *,
        name: str = "webhook",
        body_format: BodyFormat = "standard",
        source: str = "moodwire",
        timeout_seconds: float = 10.0,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self.name = name
        self._http = HttpPost(url, timeout_seconds=timeout_seconds, client=client)
        self._key = decode_secret(secret) if secret is not None else None
        self._signer = Webhook(self._key) if self._key is not None else None
        self._format, self._source = body_format, source

    def __repr__(self) -> str:
        return f"WebhookChannel({masked_url(self._http.url)!r}, signed={self._key is not None})"

    @property
    def endpoint(self) -> str:
        """Another one when the address or the secret is corrected."""
        return fingerprint(self._http.url, self._key or b"")

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        """Posts once."""
        event = cloud_event(notification, self._source) if self._format == "cloudevents" else None
        body = _body(notification, now_ms) if event is None else msgspec.json.encode(event)
        headers = self._headers(notification.id, now_ms // 1000, body)
        return await self._http.post(body, headers, notification, now_ms)

    async def aclose(self) -> None:
        await self._http.aclose()

    def _headers(self, identity: str, at_seconds: int, body: bytes) -> dict[str, str]:
        headers = {
            "content-type": _CONTENT_TYPES[self._format],
            "webhook-id": identity,
            "webhook-timestamp": str(at_seconds),
        }
        if self._signer is not None:
            at = datetime.fromtimestamp(at_seconds, UTC)
            headers["webhook-signature"] = self._signer.sign(identity, at, body.decode())
        return headers


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
    at, event = iso_time(now_ms), notification.event
    if isinstance(event, Notice):
        return msgspec.json.encode(NoticePost(f"moodwire.{event.change}", at, event))
    if isinstance(event, AlertGroup):
        return msgspec.json.encode(GroupPost(f"group.{event.change}", at, event))
    return msgspec.json.encode(AlertPost(f"alert.{event.change}", at, event))


def cloud_event(notification: Notification, source: str) -> CloudEvent:
    """Returns what the notification is as a CloudEvent."""
    event = notification.event
    kind = "notice" if isinstance(event, Notice) else "group" if isinstance(event, AlertGroup) else "alert"
    return CloudEvent(
        notification.id, source, f"moodwire.{kind}.{event.change}", event.id, iso_time(event.updated_ms), event
    )
