"""The dead man's switch: pings a URL while all is well. When pings stop, the service behind the URL raises the alarm.

An alert about a process that hangs, has no network or has lost its machine cannot come from that process. A
service such as Healthchecks, Dead Man's Snitch or a colleague's cron job raises it when pings stay away.
"""

from __future__ import annotations

import httpx

from alerts.delivery.http_post import masked_url
from streams.errors import SettingsError
from streams.logs import get_logger
from streams.net.client import open_client
from streams.observe.health import Health
from streams.observe.metrics import Metrics

__all__ = ["Watchdog"]

log = get_logger(__name__)

_TIMEOUT_SECONDS = 10.0


class Watchdog:
    """Pings `url` by POST at most every `every_seconds`. The URL is a secret: it is never shown.

    Raises `SettingsError` for an address that is none.
    """

    def __init__(
        self, url: str, every_seconds: float, health: Health, metrics: Metrics, client: httpx.AsyncClient | None = None
    ) -> None:
        if not _is_address(url):
            raise SettingsError("MOODWIRE_WATCHDOG_URL must look like https://host/path (its value is not shown here)")
        self._url = url
        self._every_ms = int(every_seconds * 1000)
        self._health = health
        self._metrics = metrics
        self._client = client or open_client([url])
        self._due_ms = 0
        for result in ("sent", "failed", "withheld"):
            metrics.watchdog.labels(result)

    async def turn(self, now_ms: int) -> None:
        """Pings when it is time and all is well; what fails or is withheld is tried again at the next turn."""
        if now_ms < self._due_ms:
            return
        if not self._health.well:
            self._metrics.watchdog.labels("withheld").inc()
            return
        if await self._ping(now_ms):
            self._due_ms = now_ms + self._every_ms

    async def _ping(self, now_ms: int) -> bool:
        try:
            response = await self._client.post(
                self._url, json={"moodwire": "well", "at_ms": now_ms}, timeout=_TIMEOUT_SECONDS
            )
            problem = "" if response.is_success else f"answered {response.status_code}"
        except httpx.HTTPError as error:
            problem = type(error).__name__
        self._metrics.watchdog.labels("failed" if problem else "sent").inc()
        if problem:
            log.warning("Watchdog ping failed", url=masked_url(self._url), error=problem)
        return not problem

    async def aclose(self) -> None:
        await self._client.aclose()


def _is_address(url: str) -> bool:
    try:
        parts = httpx.URL(url)
        masked_url(url)
    except (httpx.InvalidURL, ValueError):
        return False
    return parts.scheme in ("http", "https") and bool(parts.host)
