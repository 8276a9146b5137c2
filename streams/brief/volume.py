"""How much came, of which subject, and what is missing.

Volumes are compared with the seven spans of the same length before, as far as the archive holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from statistics import median
from typing import Final

from alerts.delivery.rendering import one_line
from alerts.delivery.share_picture import Counted
from streams.archive.protocol import Archive, RateBucket
from streams.board.reading.labels import Labels
from streams.board.reading.spans import Span
from streams.brief.content import Subject
from streams.text.heads import Of
from streams.text.profile import Profile
from streams.wall_clock import DAY_MS, HOUR_MS

__all__ = ["Past", "past_of", "subjects_of", "troubles_of", "usual_total"]

_SPANS: Final = 7
_SUBJECTS: Final = 12
_MOST_NAMES: Final = 1_000
_LEAST_USUAL: Final = 3
"""Items an hour, or items of a source a day: below that a silence means nothing."""
_THIN, _FLOOD = 0.5, 2.0
_NAMED: Final = 5
_NOTIFICATIONS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Past:
    """The time that a span is compared with: `spans` times its length, and what came by hour."""

    span: Span
    spans: float
    hours: Sequence[RateBucket]

    @property
    def is_enough(self) -> bool:
        """Whether it says what is usual."""
        return self.spans >= 1


async def past_of(archive: Archive, everything: str, signal: str, span: Span) -> Past:
    """Returns what came before the span, from the archive's first item on."""
    length_ms = span.until_ms - span.since_ms
    since_ms = max(span.since_ms - _SPANS * length_ms, 0)
    hours = await archive.rates(everything, signal, since_ms, span.since_ms, HOUR_MS)
    first_ms = max(hours[0].start_ms, since_ms) if hours else span.since_ms
    return Past(Span(first_ms, span.since_ms), (span.since_ms - first_ms) / length_ms, hours)


def usual_total(past: Past) -> float | None:
    """Returns how many items a span of this length usually has."""
    return sum(hour.total for hour in past.hours) / past.spans if past.is_enough else None


async def subjects_of(
    archive: Archive, profile: Profile, labels: Labels, signal: str, span: Span, past: Past
) -> list[Subject]:
    """Returns the subjects with the most items, and what is usual of each."""
    found: list[Subject] = []
    for kind in _kinds(profile, Of.LABELS):
        counts = await archive.top(kind, signal, span.since_ms, span.until_ms, _MOST_NAMES)
        before = await _totals(archive, kind, signal, past.span)
        found += [
            Subject(
                label=one_line(labels.of(f"{kind}/{one.name}")),
                total=one.total,
                hits=one.hits,
                usual=before.get(one.name, 0) / past.spans if past.is_enough else None,
            )
            for one in counts
        ]
    return sorted(found, key=lambda one: (-one.total, one.label))[:_SUBJECTS]


def _kinds(profile: Profile, of: Of) -> list[str]:
    return [name for name, kind in profile.series.items() if kind.of is of]


async def _totals(archive: Archive, kind: str, signal: str, span: Span) -> Mapping[str, int]:
    if span.since_ms >= span.until_ms:
        return {}
    return {one.name: one.total for one in await archive.top(kind, signal, span.since_ms, span.until_ms, _MOST_NAMES)}


async def troubles_of(
    archive: Archive, profile: Profile, signal: str, span: Span, past: Past, counted: Sequence[Counted]
) -> list[str]:
    """Returns a sentence for each gap, silent source, change of volume and failed notification."""
    total, usual = sum(one.total for one in counted), usual_total(past)
    troubles = []
    if total and usual and not _THIN <= total / usual <= _FLOOD:
        troubles.append(f"{total:,} items, where {usual:,.0f} are usual.")
    troubles += _gaps(past, counted) if total else []
    troubles += await _silent_sources(archive, profile, signal, span, past) if total else []
    unjudged = sum(one.seconds for one in counted if one.total and one.high is None) // 3600
    if unjudged:
        troubles.append(f"{_hours(unjudged)} without a band: warm-up, or not counted by `watch`.")
    failed = await archive.notifications(state="failed", limit=_NOTIFICATIONS)
    lost = sum(span.since_ms <= one.updated_ms < span.until_ms for one in failed)
    if lost:
        troubles.append(f"{lost:,} notifications failed; `moodwire deliver list` shows why.")
    return troubles


def _gaps(past: Past, counted: Sequence[Counted]) -> list[str]:
    """Runs of hours without an item at times of day that usually have some."""
    usual = _by_hour_of_day(past)
    return [
        f"No items from {_clock(run[0].start_ms)} to {_clock(run[-1].start_ms + run[-1].seconds * 1000)}."
        for empty, group in groupby(counted, lambda one: one.total == 0)
        if empty
        and (run := list(group))
        and any(usual.get(_hour_of_day(one.start_ms), 0) >= _LEAST_USUAL for one in run)
    ]


def _by_hour_of_day(past: Past) -> Mapping[int, float]:
    """The median number of items; a day without any in that hour counts as none."""
    if past.span.until_ms - past.span.since_ms < DAY_MS:
        return {}
    totals = {hour.start_ms: hour.total for hour in past.hours}
    found: dict[int, list[int]] = {}
    for start_ms in past.span.hours:
        found.setdefault(_hour_of_day(start_ms), []).append(totals.get(start_ms, 0))
    return {hour: median(counts) for hour, counts in found.items()}


def _hour_of_day(at_ms: int) -> int:
    return at_ms % DAY_MS // HOUR_MS


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%-d %b %H:%M")


async def _silent_sources(archive: Archive, profile: Profile, signal: str, span: Span, past: Past) -> list[str]:
    """Sources that sent much on the days before, and nothing in the span."""
    if not past.is_enough:
        return []
    days = past.spans * (span.until_ms - span.since_ms) / DAY_MS
    silent: list[tuple[float, str]] = []
    for kind in _kinds(profile, Of.SOURCE):
        before, now = await _totals(archive, kind, signal, past.span), await _totals(archive, kind, signal, span)
        silent += [
            (count / days, name)
            for name, count in before.items()
            if name not in now and count / past.spans >= _LEAST_USUAL
        ]
    if not silent:
        return []
    named = [f"{one_line(name)} ({rate:.0f} a day)" for rate, name in sorted(silent, reverse=True)[:_NAMED]]
    more = f" and {len(silent) - _NAMED} more" if len(silent) > _NAMED else ""
    return [f"No items from {', '.join(named)}{more}."]


def _hours(count: int) -> str:
    return f"{count} hour" if count == 1 else f"{count} hours"
