"""When messages may be sent: intervals of the week and the year in a time zone, as Alertmanager's, quiet hours and
digests. Pure functions of UTC epoch milliseconds.

    Interval   times of the day, weekdays, days of the month, months, years, in a zone
    Hours      closed in some intervals, or outside others; quiet but for what is severe
    Digest     every hour, or every day at a time
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import chain
from typing import Final

from alerts.clock import DAY_MS, HOUR_MS

__all__ = ["ALWAYS", "DAY_MINUTES", "Digest", "Hours", "Interval", "Span"]

DAY_MINUTES: Final = 24 * 60
_SEARCHED_DAYS: Final = 400
Span = tuple[int, int]
"""From a number to another one, both included; of the minutes of a day the second is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Times that meet every condition which is set; an empty one is met at any time.

    `minutes` are spans of minutes of the day, `weekdays` of 0 (Monday) to 6, `days` of days of the month, negative
    ones from its end, `months` of 1 to 12.
    """

    minutes: tuple[Span, ...] = ()
    weekdays: tuple[Span, ...] = ()
    days: tuple[Span, ...] = ()
    months: tuple[Span, ...] = ()
    years: tuple[Span, ...] = ()
    zone: tzinfo = UTC

    def contains(self, at_ms: int) -> bool:
        """Whether the time is in the interval."""
        at = datetime.fromtimestamp(at_ms // 1000, self.zone)
        minute = at.hour * 60 + at.minute
        return (
            (not self.minutes or any(start <= minute < end for start, end in self.minutes))
            and _within(at.weekday(), self.weekdays)
            and _within(at.month, self.months)
            and _within(at.year, self.years)
            and (not self.days or self._is_day(at))
        )

    def _is_day(self, at: datetime) -> bool:
        length = ((at.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)).day
        return any(_day(start, length) <= at.day <= _day(end, length) for start, end in self.days)

    def edges(self, after_ms: int) -> Iterator[int]:
        """Yields times after `after_ms` at which it may begin or end, in order, for a year and more.

        Also those at which clocks change: a time of the day may then come twice, or be jumped over.
        """
        marks = {0, *chain.from_iterable(self.minutes)} - {DAY_MINUTES}
        for date in _dates(after_ms, self.zone):
            times = {_at_ms(date, mark, fold) for mark in marks for fold in (0, 1)}
            yield from sorted(at_ms for at_ms in times | _change_ms(date) if at_ms > after_ms)


def _dates(at_ms: int, zone: tzinfo) -> Iterator[datetime]:
    """Yields the beginnings of the zone's days from that of a time on, for a year and more."""
    first = datetime.fromtimestamp(at_ms // 1000, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return (first + timedelta(days=day) for day in range(_SEARCHED_DAYS))


def _at_ms(date: datetime, minute: int, fold: int = 0) -> int:
    """When it is this minute of the day; the second time (`fold` is 1) only where there is one.

    A time that the clocks jump over is as much later as they jump.
    """
    first, asked = (date.replace(hour=minute // 60, minute=minute % 60, fold=one).timestamp() for one in (0, fold))
    return int(max(first, asked)) * 1000


def _change_ms(date: datetime) -> set[int]:
    """When the clocks change in a day; mostly never."""
    before, after = date.timestamp(), (date + timedelta(days=1)).timestamp()
    offset = date.utcoffset()
    if (date + timedelta(days=1)).utcoffset() == offset:
        return set()
    while after - before > 1:
        between = (before + after) // 2
        if datetime.fromtimestamp(between, date.tzinfo).utcoffset() == offset:
            before = between
        else:
            after = between
    return {int(after) * 1000}


def _within(number: int, spans: tuple[Span, ...]) -> bool:
    return not spans or any(start <= number <= end for start, end in spans)


def _day(number: int, length: int) -> int:
    """The day of a month of this length; a negative number counts from its end."""
    return number if number > 0 else length + 1 + number


@dataclass(frozen=True, slots=True)
class Hours:
    """Closed in `muted`, and outside of `active` where there are some. What ranks `unless` or higher is sent anyway."""

    muted: tuple[Interval, ...] = ()
    active: tuple[Interval, ...] = ()
    unless: int | None = None

    def closed(self, at_ms: int, rank: int) -> bool:
        """Whether a message whose worst alert has this rank may not be sent."""
        if self.unless is not None and rank >= self.unless:
            return False
        muted = any(interval.contains(at_ms) for interval in self.muted)
        return muted or (bool(self.active) and not any(interval.contains(at_ms) for interval in self.active))

    def opens_ms(self, at_ms: int) -> int:
        """When a message that is held may be sent; a day later where that is not within a year."""
        edges = heapq.merge(*(interval.edges(at_ms) for interval in (*self.muted, *self.active)))
        return next((edge for edge in edges if not self.closed(edge, -1)), at_ms + DAY_MS)


ALWAYS: Final = Hours()
"""Never closed."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Every hour, or (`minute` of the day) every day at this time in the zone."""

    minute: int | None = None
    zone: tzinfo = UTC

    @property
    def of(self) -> str:
        """What it collects: an `hour` or a `day`."""
        return "hour" if self.minute is None else "day"

    def next_ms(self, after_ms: int) -> int:
        """When the next digest is due."""
        if self.minute is None:
            return (after_ms // HOUR_MS + 1) * HOUR_MS
        times = (_at_ms(date, self.minute) for date in _dates(after_ms, self.zone))
        return next(at_ms for at_ms in times if at_ms > after_ms)
