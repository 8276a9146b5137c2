"""Why an alert fired: its own numbers, and every rule and window counted again from the archive where time allows.

Counting again reads all items up to the alert, about a minute for a million: it runs in a thread, one at a time, and
ends after `BUDGET_SECONDS`. What was found is kept, since the past does not change.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Final

from alerts import AlertConfig, AlertEvent, Wording
from alerts.delivery.rendering import summary
from alerts.records import rounded
from streams.archive import closing_archive
from streams.board.shapes.alerts import Explanation, Finding
from streams.errors import MoodwireError
from streams.existing import open_existing_archive
from streams.jobs import explanation
from streams.jobs.explanation import explained
from streams.jobs.recount import Watched
from streams.settings import Settings

__all__ = ["BUDGET_SECONDS", "Explainer"]

BUDGET_SECONDS: Final = 20.0
_KEPT: Final = 200


class _TooLong(MoodwireError):
    """Counting again took longer than the budget."""


class Explainer:
    """Explains the alerts of a namespace."""

    def __init__(self, settings: Settings, config: AlertConfig, budget_seconds: float = BUDGET_SECONDS) -> None:
        self._settings = settings
        self._config = config
        self._budget = budget_seconds
        self._kept: OrderedDict[str, list[Finding]] = OrderedDict()
        self._one = asyncio.Lock()

    async def explain(self, opened: AlertEvent) -> Explanation:
        """Returns why the alert of this first event opened; raises `Retry` where the archive does not answer."""
        async with self._one:
            findings = self._kept.get(opened.id)
            if findings is None:
                findings = await asyncio.to_thread(self._counted, opened)
                self._keep(opened.id, findings)
        own = _own(opened, self._config.wording)
        return Explanation(id=opened.id, series=opened.series, rule=opened.rule, findings=[own, *findings])

    def _keep(self, alert: str, findings: list[Finding]) -> None:
        self._kept[alert] = findings
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def _counted(self, opened: AlertEvent) -> list[Finding]:
        """Blocks. The archive is one of its own: clients of Elasticsearch belong to an event loop."""
        try:
            return asyncio.run(self._recounted(opened, time.monotonic() + self._budget))
        except _TooLong:
            text = f"the archive is too large to be counted again here; run `moodwire alerts explain {opened.id}`"
            return [Finding(reason="too_long", text=text)]

    async def _recounted(self, opened: AlertEvent, until: float) -> list[Finding]:
        def on_progress(_: int) -> None:
            if time.monotonic() > until:
                raise _TooLong

        async with closing_archive(open_existing_archive(self._settings)) as archive:
            found = await explained(
                archive,
                self._config,
                Watched(opened.series, opened.signal),
                opened.updated_ms,
                partitions=self._settings.mentions_partitions,
                on_progress=on_progress,
            )
        return _findings(found, self._config.wording)


def _own(event: AlertEvent, wording: Wording) -> Finding:
    """What the event itself says."""
    numbers = {
        "rule": event.rule,
        "hits": event.observed.hits,
        "total": event.observed.total,
        "expected": rounded(event.expected.hits),
        "interval": event.expected.interval,
        "p_value": rounded(event.p_value),
        "level": rounded(event.level),
        "window_seconds": event.window.seconds,
        "start_ms": event.window.start_ms,
        "end_ms": event.window.end_ms,
    }
    return Finding(reason=event.change, text=summary(event, wording), numbers=numbers)


def _findings(found: explanation.Explanation, wording: Wording) -> list[Finding]:
    if found.answer is not None:
        return [Finding(reason=found.answer, text=wording.reason(found.answer))]
    signal = found.watched.signal
    return [
        Finding(
            reason=one.reason,
            text=f"{explanation.finding_text(one, signal, wording)}: {wording.reason(one.reason)}",
            numbers={"rule": one.rule, **explanation.finding_numbers(one)},
        )
        for one in found.findings
    ]
