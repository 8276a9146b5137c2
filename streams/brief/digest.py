"""The brief of a day as the page that comes with digests: made once for all who are sent one at that time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from alerts.delivery.mail import Attached
from alerts.delivery.smtp import Briefing
from streams.alert_rules import alert_config
from streams.archive.protocol import Archive
from streams.board.reading.spans import Span
from streams.brief.page import page_of
from streams.brief.reading import Source, brief_of
from streams.settings import Settings
from streams.text.profile import load_profile
from streams.wall_clock import DAY_MS, HOUR_MS

__all__ = ["briefing_of"]


def briefing_of(settings: Settings, archive: Archive) -> Briefing:
    """Returns what makes pages out of the archive; they are of the signal that is watched first."""
    profile = load_profile(settings.profile)
    signal = alert_config(settings, profile).signals[0]
    return _Briefings(Source(archive, settings, profile, signal)).page


class _Briefings:
    """Remembers the last page: digests of a time zone are due together."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._one_at_a_time = asyncio.Lock()
        self._made: tuple[int, Attached] | None = None

    async def page(self, at_ms: int) -> Attached:
        """Raises `Retry` if the archive is away."""
        until_ms = at_ms // HOUR_MS * HOUR_MS
        async with self._one_at_a_time:
            if self._made is None or self._made[0] != until_ms:
                brief = await brief_of(self._source, Span(max(until_ms - DAY_MS, 0), until_ms))
                page = await asyncio.to_thread(page_of, brief)
                name = datetime.fromtimestamp(until_ms / 1000, UTC).strftime("brief-%Y-%m-%d.html")
                self._made = until_ms, Attached(name, page.html)
            return self._made[1]
