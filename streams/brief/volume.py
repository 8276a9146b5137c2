"""How much came, of which subject, and what is missing.

Volumes are compared with the same days and hours of the four weeks before, as far as the archive holds them whole: a
Sunday is compared with Sundays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from statistics import median
from typing import Final

from alerts.delivery.rendering import one_line
from alerts.delivery.share_picture import Counted
from streams.archive.protocol import Archive
from streams.board.reading.labels import Labels
from streams.board.reading.spans import Span
from streams.brief.content import Subject
from streams.text.heads import Of
from streams.text.profile import Profile
from streams.wall_clock import DAY_MS, HOUR_MS

__all__ = ["Past", "past_of", "subjects_of", "troubles_of", "usual_total"]

_WEEKS: Final = 4
_WEEK_MS: Final = 7 * DAY_MS
_SUBJECTS: Final = 12
_MOST_NAMES: Final = 1_000
_LEAST_USUAL: Final = 3
"""Items of an hour, or of a source in the span: below that a silence means nothing."""
_THIN, _FLOOD = 0.5, 2.0
_NAMED: Final = 5
_NOTIFICATIONS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Past:
    """The times that a span is compared with, and the items that came in each of their hours; none without history."""

    spans: Sequence[Span]
    hours: Mapping[int, int]

    @property
    def is_enough(self) -> bool:
        """Whether it says what is usual."""
        return bool(self.spans)


async def past_of(archive: Archive, everything: str, signal: str, span: Span) -> Past:
    """Returns what came in the same hours of the weeks before, from the archive's first item on."""
    weeks = -(-(span.until_ms - span.since_ms) // _WEEK_MS)  # of a step: a long span is not compared with itself
    steps = [step * weeks * _WEEK_MS for step in range(1, _WEEKS + 1)]
    oldest_ms = max(span.since_ms - steps[-1], 0)
    found = await archive.rates(everything, signal, oldest_ms, span.since_ms, HOUR_MS)
    spans = [Span(span.since_ms - step, span.until_ms - step) for step in steps]
    known = [one for one in spans if found and one.since_ms >= found[0].start_ms // DAY_MS * DAY_MS]
    return Past(known, {hour.start_ms: hour.total for hour in found})


def usual_total(past: Past) -> float | None:
    """Returns how many items a span like this usually has."""
    if not past.is_enough:
        return None
    return sum(past.hours.get(start_ms, 0) for span in past.spans for start_ms in span.hours) / len(past.spans)


async def subjects_of(
    archive: Archive, profile: Profile, labels: Labels, signal: str, span: Span, past: Past
) -> list[Subject]:
    """Returns the subjects with the most items, and what is usual of each."""
    found: list[Subject] = []
    for kind in _kinds(profile, Of.LABELS):
        counts = await archive.top(kind, signal, span.since_ms, span.until_ms, _MOST_NAMES)
        before = await _usual(archive, kind, signal, past)
        found += [
            Subject(
                label=one_line(labels.of(f"{kind}/{one.name}")),
                total=one.total,
                hits=one.hits,
                usual=before.get(one.name, 0.0) if past.is_enough else None,
            )
            for one in counts
        ]
    return sorted(found, key=lambda one: (-one.total, one.label))[:_SUBJECTS]


def _kinds(profile: Profile, of: Of) -> list[str]:
    return [name for name, kind in profile.series.items() if kind.of is of]


async def _usual(archive: Archive, kind: str, signal: str, past: Past) -> Mapping[str, float]:
    """The mean number of items by name."""
    found: Counter[str] = Counter()
    for span in past.spans:
        found.update(await _totals(archive, kind, signal, span))
    return {name: count / len(past.spans) for name, count in found.items()}


async def _totals(archive: Archive, kind: str, signal: str, span: Span) -> Mapping[str, int]:
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
    """Runs of hours without an item that usually have some; `counted` are the hours of the span."""
    found = []
    for empty, group in groupby(enumerate(counted), lambda pair: pair[1].total == 0):
        run = list(group)
        if empty and any(_usual_in(past, place) >= _LEAST_USUAL for place, _ in run):
            first, last = run[0][1], run[-1][1]
            found.append(f"No items from {_clock(first.start_ms)} to {_clock(last.start_ms + HOUR_MS)}.")
    return found


def _usual_in(past: Past, place: int) -> float:
    """The median number of items of an hour, by its place in the span."""
    return median(past.hours.get(span.hours[place], 0) for span in past.spans) if past.spans else 0


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%-d %b %H:%M")


async def _silent_sources(archive: Archive, profile: Profile, signal: str, span: Span, past: Past) -> list[str]:
    """Sources that usually send some, and sent nothing in the span."""
    if not past.is_enough:
        return []
    silent: list[tuple[float, str]] = []
    for kind in _kinds(profile, Of.SOURCE):
        now, before = await _totals(archive, kind, signal, span), await _usual(archive, kind, signal, past)
        silent += [(rate, name) for name, rate in before.items() if name not in now and rate >= _LEAST_USUAL]
    if not silent:
        return []
    named = [f"{one_line(name)} ({rate:.0f} are usual)" for rate, name in sorted(silent, reverse=True)[:_NAMED]]
    more = f" and {len(silent) - _NAMED} more" if len(silent) > _NAMED else ""
    return [f"No items from {', '.join(named)}{more}."]


def _hours(count: int) -> str:
    return f"{count} hour" if count == 1 else f"{count} hours"
