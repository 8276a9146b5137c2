"""Alerts in the words and shapes that the board answers with: sentence, last day, timeline, who was notified."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from alerts import AlertEvent, Wording
from alerts.judge import Outcome
from alerts.records import rounded
from streams.archive.protocol import Archive, StoredAlert, StoredDecision, StoredNotification
from streams.board.reading.alerts import Known
from streams.board.reading.labels import Labels
from streams.board.shapes.alerts import Acknowledged, Headline, Hour, Inhibitor, Look, Notified, TimelineEntry
from streams.wall_clock import HOUR_MS

__all__ = [
    "alert_fields", "headlines_of", "inhibitor_of", "last_days", "look_of", "notified_of", "sentence_of", "timeline_of",
    "verdicts_of",
]  # fmt: skip

_DAY_MS: Final = 24 * HOUR_MS
_VERDICT: Final = "verdict"


def sentence_of(event: AlertEvent, labels: Labels, wording: Wording) -> str:
    """Returns what the alert is about in one sentence; of one that is over its worst moment."""
    return _sentence(labels.of(event.series), event, wording)


def _sentence(name: str, event: AlertEvent, wording: Wording) -> str:
    peak = event.peak
    if event.state == "resolved" and peak.at_ms:
        counted: dict[str, Any] = {
            "hits": peak.hits,
            "total": peak.total,
            "seconds": peak.seconds,
            "interval": peak.interval,
        }
    else:
        counted = {
            "hits": event.observed.hits,
            "total": event.observed.total,
            "seconds": event.window.seconds,
            "interval": event.expected.interval,
        }
    return wording.sentence(name, event.signal, event.detector, **counted)


def alert_fields(known: Known, labels: Labels, wording: Wording, last_day: Sequence[Hour]) -> dict[str, Any]:
    """Returns the fields of `Alert`."""
    event, row = known.event, known.row
    until_ms = row.acknowledged_until_ms or None
    return {
        "id": event.id,
        "revision": event.revision,
        "version": known.version,
        "signal": event.signal,
        "rule": event.rule,
        "series": event.series,
        "kind": event.kind,
        "label": labels.of(event.series),
        "state": event.state,
        "change": event.change,
        "severity": event.severity,
        "onset_ms": max(event.onset_ms, 0),
        "updated_ms": max(event.updated_ms, 0),
        "sentence": sentence_of(event, labels, wording),
        "observed": msgspec.to_builtins(event.observed),
        "expected": msgspec.to_builtins(event.expected),
        "window": msgspec.to_builtins(event.window),
        "peak": msgspec.to_builtins(event.peak),
        "p_value": rounded(event.p_value),
        "labels": row.labels,
        "annotations": event.annotations,
        "acknowledged": Acknowledged(by=row.acknowledged_by, until_ms=until_ms) if known.acknowledged else None,
        "silenced": list(known.silences),
        "inhibited": known.inhibited,
        "assignee": row.assigned_to or None,
        "last_day": list(last_day),
        "headlines": headlines_of(event),
    }


def headlines_of(event: AlertEvent) -> list[Headline]:
    """Returns the items behind an event."""
    return [
        Headline(id=one.id, title=one.title, publisher=one.publisher, url=one.url, seen_ms=max(one.seen_ms, 0))
        for one in event.top_items
    ]


def look_of(event: AlertEvent) -> Look:
    """Returns what the event's window held."""
    low, high = event.expected.interval
    return Look(
        at_ms=max(event.updated_ms, 0),
        hits=event.observed.hits,
        total=event.observed.total,
        seconds=event.window.seconds,
        low=low,
        high=high,
        p_value=rounded(event.p_value),
    )


async def inhibitor_of(archive: Archive, known: Known, labels: Labels) -> Inhibitor | None:
    """Returns the alert that this one is held back by; None without one, or where the archive has it no longer."""
    history = await archive.alert_history(known.inhibitor) if known.inhibitor else []
    if not history:
        return None
    last = history[-1]
    return Inhibitor(id=last.id, label=labels.of(last.series), severity=last.severity)


async def last_days(archive: Archive, alerts: Sequence[Known], now_ms: int) -> dict[str, list[Hour]]:
    """Returns by alert the hours that the 24 hours up to now touch, oldest first: 25 unless now is a full hour.

    For an alert that is over, those up to its worst moment, which its sentence counts: at its end all was calm again.
    """
    groups: dict[tuple[str, int], list[Known]] = {}
    for one in alerts:
        end_ms = now_ms if one.row.fires else one.event.peak.at_ms or one.event.updated_ms
        groups.setdefault((one.event.signal, end_ms), []).append(one)
    found = await asyncio.gather(
        *(_last_day(archive, signal, end_ms, group) for (signal, end_ms), group in groups.items())
    )
    return {alert: hours for part in found for alert, hours in part.items()}


async def _last_day(archive: Archive, signal: str, end_ms: int, alerts: Sequence[Known]) -> dict[str, list[Hour]]:
    starts = range((end_ms - _DAY_MS) // HOUR_MS * HOUR_MS, end_ms, HOUR_MS)
    series = sorted({one.event.series for one in alerts})
    known = {
        (row.series, row.start_ms): Hour(start_ms=row.start_ms, hits=row.hits, low=row.low, high=row.high)
        for row in await archive.hours(series, signal, starts.start, starts[-1] + HOUR_MS)
    }
    known |= await _open_hour(archive, signal, starts[-1], series, known)
    return {
        one.event.id: [
            known.get((one.event.series, start_ms)) or Hour(start_ms=max(start_ms, 0), hits=0, low=None, high=None)
            for start_ms in starts
        ]
        for one in alerts
    }


async def _open_hour(
    archive: Archive, signal: str, start_ms: int, series: Iterable[str], known: Mapping[tuple[str, int], Hour]
) -> dict[tuple[str, int], Hour]:
    """What is counted of the last hour where `watch` has not archived it yet."""
    found: dict[tuple[str, int], Hour] = {}
    for name in series:
        if (name, start_ms) not in known:
            for rate in await archive.rates(name, signal, start_ms, start_ms + HOUR_MS, HOUR_MS):
                found[name, start_ms] = Hour(start_ms=start_ms, hits=rate.hits, low=None, high=None)
    return found


def timeline_of(
    history: Iterable[StoredAlert], decisions: Iterable[StoredDecision], wording: Wording
) -> list[TimelineEntry]:
    """Returns what happened to an alert and what people decided about it, oldest first.

    What was refused is left out, and a verdict that somebody gave again: the audit trail has them.
    """
    entries = [_changed(AlertEvent.from_json(one.body), wording) for one in history]
    entries += [_decided(one, text) for one, text in _followed(decisions)]
    return sorted(entries, key=lambda one: one.at_ms)


def verdicts_of(decisions: Iterable[StoredDecision]) -> dict[str, str]:
    """Returns by person what they said last that the alert was worth."""
    return {one.by: str(_body(one).get("label", "")) for one, _ in _followed(decisions) if one.kind == _VERDICT}


def _followed(decisions: Iterable[StoredDecision]) -> Iterator[tuple[StoredDecision, str]]:
    """The decisions that were followed, oldest first, each with its words."""
    said: dict[str, str] = {}
    for one in sorted(decisions, key=lambda one: one.place):
        text = _words(one.kind, _body(one))
        if one.outcome != Outcome.ACCEPTED or (one.kind == _VERDICT and said.get(one.by) == text):
            continue
        if one.kind == _VERDICT:
            said[one.by] = text
        yield one, text


def _body(decision: StoredDecision) -> dict[str, Any]:
    body = msgspec.json.decode(decision.body or b"{}")
    return body if isinstance(body, dict) else {}


def _words(kind: str, body: Mapping[str, Any]) -> str:
    if kind == _VERDICT:
        return str(body.get("label", "")).replace("_", " ")
    if kind == "assign":
        return f"to {body.get('to') or 'no one'}"
    return str(body.get("text") or body.get("comment") or "")


def _changed(event: AlertEvent, wording: Wording) -> TimelineEntry:
    text = _change_words(event, wording)
    return TimelineEntry(at_ms=max(event.updated_ms, 0), kind=event.change, by="", text=text)


def _change_words(event: AlertEvent, wording: Wording) -> str:
    """What was counted, in the words of the sentence; at the end, how long it lasted and its worst."""
    counted = _sentence("", event, wording).removeprefix(": ")
    if event.change != "resolved":
        return counted
    return wording.texts.resolved.format(lasted=wording.lasted(event.updated_ms - event.onset_ms), worst=counted)


def _decided(decision: StoredDecision, text: str) -> TimelineEntry:
    return TimelineEntry(at_ms=max(decision.decided_ms, 0), kind=decision.kind, by=decision.by, text=text)


def notified_of(notifications: Iterable[StoredNotification]) -> list[Notified]:
    """Returns how far the news came to each receiver, the latest first."""
    return [
        Notified(
            receiver=one.channel,
            status=one.state,
            at_ms=max(one.updated_ms, 0),
            attempts=one.attempts,
            problem=one.problem,
        )
        for one in sorted(notifications, key=lambda one: (-one.updated_ms, one.id))
    ]
