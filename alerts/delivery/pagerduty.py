"""Incidents of PagerDuty: its Events API v2, POST /v2/enqueue.

    opened, updated, repeated, …   trigger    the same dedup_key updates the incident that is open
    resolved                       resolve

The dedup_key is the id of the alert or of the group. A note, a digest and the end of a silence are no incidents.
"""

from __future__ import annotations

from typing import Any, Final

import httpx
import msgspec

from alerts.delivery.brief import Brief, Words, brief_of, iso_time
from alerts.delivery.channel import Delivery, GiveUp, Notification, fingerprint
from alerts.delivery.http_post import HttpPost, masked_url
from alerts.delivery.rendering import one_line

__all__ = ["PAGERDUTY_URL", "PagerDutyChannel", "pagerduty_event"]

PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"
_NO_INCIDENTS: Final = frozenset({"noted", "digest", "expiring"})
_SEVERITIES: Final = {"critical": "critical", "warning": "warning"}
_MOST_DETAILS: Final = 20
_LONGEST_ANSWER: Final = 200


class _Answer(msgspec.Struct):
    """PagerDuty's own, to an event that it took or not."""

    status: str = "success"
    message: str = ""


class PagerDutyChannel:
    """Sends events with the `routing_key` of an integration. Raises `DeliveryError` for a URL that cannot work."""

    def __init__(
        self,
        routing_key: str,
        *,
        name: str = "pagerduty",
        url: str = PAGERDUTY_URL,
        source: str = "moodwire",
        client: httpx.AsyncClient | None = None,
        words: Words | None = None,
    ) -> None:
        self.name = name
        self._http = HttpPost(url, client=client, refused=_refused)
        self._key, self._source = routing_key, source
        self._words = words or Words()

    def __repr__(self) -> str:
        return f"PagerDutyChannel({masked_url(self._http.url)!r})"

    @property
    def endpoint(self) -> str:
        return fingerprint(self._http.url, self._key)

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        """Posts once; PagerDuty takes a repetition as an update of the same incident."""
        brief = await self._words.brief(notification.event)
        if brief.change in _NO_INCIDENTS:
            return GiveUp(f"no incident: {brief.change}; route such messages to a receiver that people read")
        body = msgspec.json.encode(pagerduty_event(brief, self._key, self._source))
        return await self._http.post(body, {}, notification, now_ms)

    async def aclose(self) -> None:
        await self._http.aclose()
        await self._words.aclose()


def pagerduty_event(brief: Brief, routing_key: str, source: str) -> dict[str, Any]:
    """Returns the body of the post."""
    event = {"routing_key": routing_key, "dedup_key": brief.id}
    if brief.is_over:
        return event | {"event_action": "resolve"}
    return event | {
        "event_action": "trigger",
        "client": "moodwire",
        "payload": _payload(brief, source),
        "links": [{"href": address, "text": title or address} for address, title in brief.links],
    }


def _payload(brief: Brief, source: str) -> dict[str, Any]:
    labels = brief.labels
    found = {
        "summary": brief.subject,
        "source": source,
        "severity": _SEVERITIES.get(brief.severity, "info"),
        "timestamp": iso_time(brief.at_ms),
        "component": labels.get("series", ""),
        "group": labels.get("signal", ""),
        "class": labels.get("alertname", ""),
        "custom_details": _details(brief),
    }
    return {name: value for name, value in found.items() if value}


def _details(brief: Brief) -> dict[str, Any]:
    details: dict[str, Any] = {"text": brief.text, "change": brief.change, **brief.annotations}
    details["labels"] = dict(brief.labels)
    if len(brief.alerts) > 1:
        details["alerts"] = [brief_of(event).subject for event in brief.alerts[:_MOST_DETAILS]]
    return details


def _refused(body: bytes) -> str:
    """The status in the answer where it is another than success, with what else it says."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except msgspec.DecodeError:
        return ""
    said = "" if answer.status == "success" else one_line(f"{answer.status} {answer.message}")
    return said.strip()[:_LONGEST_ANSWER]
