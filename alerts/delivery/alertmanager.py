"""Alerts for Prometheus' Alertmanager: POST /api/v2/alerts, a list of labels with a begin and an end.

    firing     endsAt is `hold_hours` ahead: Alertmanager ends an alert by itself that is not posted again until then
    resolved   endsAt is when it ended
    noted      nothing will end it: it fires for an hour
    escalated  the severity is a label, so a critical alert is another one there: the warning before it is ended

Names of labels may hold letters, digits and underscores there; other characters become underscores.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import msgspec

from alerts.clock import HOUR_MS
from alerts.delivery.brief import Brief, Words, brief_of, iso_time
from alerts.delivery.channel import Delivery, Notification, fingerprint
from alerts.delivery.http_post import HttpPost, masked_url
from alerts.records import AlertEvent

__all__ = ["AlertmanagerChannel", "alertmanager_alerts"]

PATH: Final = "/api/v2/alerts"
HOLD_HOURS: Final = 168.0
"""A week: longer than `repeat_interval` of any group, and than episodes last."""


class AlertmanagerChannel:
    """Posts to the Alertmanager at `url`, such as http://alertmanager:9093; `labels` are added to every alert.

    `authorization` is the value of that header, if it wants one. Raises `DeliveryError` for a URL that cannot work.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "alertmanager",
        labels: Mapping[str, str] | None = None,
        hold_hours: float = HOLD_HOURS,
        authorization: str | None = None,
        client: httpx.AsyncClient | None = None,
        words: Words | None = None,
    ) -> None:
        self.name = name
        self._http = HttpPost(api_url(url), client=client, refused=_refused)
        self._labels = dict(labels or {})
        self._hold_ms = round(hold_hours * HOUR_MS)
        self._headers = {"authorization": authorization} if authorization else {}
        self._words = words or Words()

    def __repr__(self) -> str:
        return f"AlertmanagerChannel({masked_url(self._http.url)!r})"

    @property
    def endpoint(self) -> str:
        return fingerprint(self._http.url, *self._headers.values())

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        """Posts once; the same alert posted again changes nothing there."""
        brief = await self._words.brief(notification.event)
        alerts = alertmanager_alerts(brief, now_ms, self._hold_ms, self._labels)
        return await self._http.post(msgspec.json.encode(alerts), self._headers, notification, now_ms)

    async def aclose(self) -> None:
        await self._http.aclose()
        await self._words.aclose()


def api_url(url: str) -> str:
    """Returns where to post: the path of the API is added to an address that lacks it."""
    bare = url.rstrip("/")
    return bare if bare.endswith(PATH) else bare + PATH


def alertmanager_alerts(
    brief: Brief, now_ms: int, hold_ms: int, labels: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Returns the body of the post: every alert of the message by itself."""
    more = labels or {}
    if not brief.alerts:
        return [_alert({**brief.labels, **more}, _annotations(brief), brief.since_ms, _end(brief, now_ms, hold_ms))]
    return [alert for event in brief.alerts for alert in _of_event(event, brief, now_ms, hold_ms, more)]


def _of_event(
    event: AlertEvent, brief: Brief, now_ms: int, hold_ms: int, labels: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    own = brief if brief.id == event.id else brief_of(event)
    annotations = _annotations(own)
    yield _alert({**own.labels, **labels}, annotations, own.since_ms, _end(own, now_ms, hold_ms))
    if event.severity == "critical" and event.revision > 1 and event.change != "moved":
        ended = min(event.updated_ms, now_ms)
        yield _alert({**own.labels, "severity": "warning", **labels}, annotations, own.since_ms, ended)


def _end(brief: Brief, now_ms: int, hold_ms: int) -> int:
    if brief.is_over:
        return min(brief.at_ms, now_ms)
    return now_ms + (HOUR_MS if brief.change == "noted" else hold_ms)


def _annotations(brief: Brief) -> dict[str, str]:
    links = " ".join(address for address, _ in brief.links)
    found = {"summary": brief.subject, "description": brief.text, "links": links, "moodwire_id": brief.id}
    found |= {_label_name(name): text for name, text in brief.annotations.items()}
    return {name: value for name, value in found.items() if value}


def _alert(labels: Mapping[str, str], annotations: Mapping[str, str], start_ms: int, end_ms: int) -> dict[str, Any]:
    return {
        "labels": {_label_name(name): value for name, value in labels.items() if value},
        "annotations": dict(annotations),
        "startsAt": iso_time(min(start_ms, end_ms)),
        "endsAt": iso_time(end_ms),
    }


def _label_name(name: str) -> str:
    plain = re.sub(r"[^a-zA-Z0-9_]", "_", name)
    return f"_{plain}" if not plain or plain[0].isdigit() else plain


def _refused(body: bytes) -> str:
    """Nothing: an answer of 200 is empty; a page of HTML is refused before."""
    del body
    return ""
