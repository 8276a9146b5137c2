"""The alerts of a time: what each did in it, and how it was at its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from alerts import AlertEvent, Wording
from alerts.delivery.rendering import link, one_line
from streams.archive.protocol import Archive, StoredAlert
from streams.board.reading.alerts import open_alerts
from streams.board.reading.labels import Labels
from streams.board.reading.spans import Span
from streams.brief.content import AlertStory, Change, Headline
from streams.jobs.alert_search import OPEN
from streams.wall_clock import DAY_MS

__all__ = ["Lived", "lived_in", "story_of"]

_LOOK_BACK_MS: Final = 30 * DAY_MS
"""An alert that ended is looked for by its onset, so far before the time."""
_PAGE: Final = 1_000
_HEADLINES: Final = 5
_WORDS: Final = {
    "opened": "opened", "reopened": "opened", "noted": "opened", "escalated": "worsened", "resolved": "ended",
}  # fmt: skip
_RANKS: Final = {"critical": 0, "warning": 1, "info": 2}

Lived = Sequence[AlertEvent]
"""The changes of an alert up to the end of a time, oldest first; one at least."""


async def lived_in(archive: Archive, span: Span) -> list[Lived]:
    """Returns the alerts that were open at some time of the span: open ones first, then by severity and onset."""
    found = {one.id: one for one in [*await _recent(archive, span), *await open_alerts(archive)]}
    lived: list[Lived] = []
    for one in found.values():
        if one.onset_ms < span.until_ms and (one.state in OPEN or one.updated_ms >= span.since_ms):
            events = [AlertEvent.from_json(state.body) for state in await archive.alert_history(one.id)]
            known = [event for event in events if event.updated_ms < span.until_ms]
            if known and (_is_open(known[-1]) or known[-1].updated_ms >= span.since_ms):
                lived.append(known)
    return sorted(lived, key=_order)


async def _recent(archive: Archive, span: Span) -> list[StoredAlert]:
    found: list[StoredAlert] = []
    before: tuple[int, str] | None = (span.until_ms, "")
    since_ms = span.since_ms - _LOOK_BACK_MS
    while page := await archive.alerts(since_ms=since_ms, before=before, limit=_PAGE):
        found += page
        before = page[-1].onset_ms, page[-1].id
    return found


def _is_open(event: AlertEvent) -> bool:
    return event.state in OPEN


def _order(events: Lived) -> tuple[bool, int, int, str]:
    last = events[-1]
    return not _is_open(last), _RANKS.get(last.severity, 1), -last.onset_ms, last.id


def story_of(events: Lived, span: Span, labels: Labels, wording: Wording) -> AlertStory:
    """Returns what the alert did in the span, with the sentence of its worst moment and its newest headlines."""
    last = events[-1]
    return AlertStory(
        id=last.id,
        label=one_line(labels.of(last.series)),
        severity=last.severity,
        is_open=_is_open(last),
        onset_ms=last.onset_ms,
        end_ms=None if _is_open(last) else last.updated_ms,
        sentence=one_line(_sentence(last, labels, wording)),
        changes=_changes(events, span),
        headlines=_headlines(events),
    )


def _changes(events: Iterable[AlertEvent], span: Span) -> list[Change]:
    return [
        Change(_WORDS[event.change], event.updated_ms)
        for event in events
        if event.change in _WORDS and event.updated_ms >= span.since_ms
    ]


def _sentence(event: AlertEvent, labels: Labels, wording: Wording) -> str:
    name, peak = labels.of(event.series), event.peak
    if not peak.at_ms:
        return wording.sentence(
            name, event.signal, event.detector, hits=event.observed.hits, total=event.observed.total,
            seconds=event.window.seconds, interval=event.expected.interval,
        )  # fmt: skip
    return wording.sentence(
        name, event.signal, event.detector, hits=peak.hits, total=peak.total, seconds=peak.seconds,
        interval=peak.interval,
    )  # fmt: skip


def _headlines(events: Iterable[AlertEvent]) -> list[Headline]:
    """Each title once, the newest of it."""
    items = sorted((item for event in events for item in event.top_items), key=lambda item: item.seen_ms)
    found = {
        title.casefold(): Headline(title, one_line(item.publisher), item.seen_ms, link(item.url) or "")
        for item in items
        if (title := one_line(item.title))
    }
    return sorted(found.values(), key=lambda one: -one.seen_ms)[:_HEADLINES]
