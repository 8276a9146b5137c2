"""The section `time_intervals` of routes.yaml, written as Alertmanager's: when a route is mute or active.

time_intervals:
  - name: nights
    time_intervals:
      - times: [{start_time: "22:00", end_time: "24:00"}, {start_time: "00:00", end_time: "07:00"}]
        weekdays: ["monday:friday"]
        location: Europe/Berlin
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Final

import msgspec

from alerts.judge.hours import Interval, Span
from alerts.times import is_time_of_day, minute_of_day, zone_of
from streams.userfiles import Mistake

__all__ = ["IntervalEntry", "TimeIntervalEntry", "TimesEntry"]

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip


class TimesEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times of a day, HH:MM, from the first up to the second one."""

    start_time: str
    end_time: str

    def mistakes(self) -> Iterator[Mistake]:
        for key in ("start_time", "end_time"):
            if not is_time_of_day(getattr(self, key)):
                yield (key,), f"{getattr(self, key)!r} is no time of day; write one such as 07:30"
                return
        if self.start_time >= self.end_time:
            yield ("end_time",), "is not after start_time; write two spans, up to 24:00 and from 00:00"

    @property
    def span(self) -> Span:
        """In minutes of the day."""
        return minute_of_day(self.start_time), minute_of_day(self.end_time)


class IntervalEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Conditions that all must be met; each is a list of which one must be."""

    times: tuple[TimesEntry, ...] = ()
    weekdays: tuple[str, ...] = ()
    days_of_month: tuple[str, ...] = ()
    months: tuple[str, ...] = ()
    years: tuple[str, ...] = ()
    location: str = "UTC"

    def mistakes(self) -> Iterator[Mistake]:
        for key, reader in _READERS.items():
            for number, text in enumerate(getattr(self, key)):
                try:
                    reader(text)
                except ValueError as error:
                    yield (key, number), f"{text!r} {error}"
        try:
            zone_of(self.location)
        except ValueError as error:
            yield ("location",), str(error)

    @property
    def interval(self) -> Interval:
        """What the judge computes with."""
        return Interval(
            minutes=tuple(one.span for one in self.times),
            weekdays=tuple(map(_weekdays, self.weekdays)),
            days=tuple(map(_days, self.days_of_month)),
            months=tuple(map(_months, self.months)),
            years=tuple(map(_years, self.years)),
            zone=zone_of(self.location),
        )


class TimeIntervalEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name for some intervals."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    time_intervals: Annotated[tuple[IntervalEntry, ...], msgspec.Meta(min_length=1)]


def _span(text: str, number: Callable[[str], int]) -> Span:
    first, colon, last = text.partition(":")
    start = number(first.strip().lower())
    end = number(last.strip().lower()) if colon else start
    if start > end and not start > 0 > end:
        raise ValueError("ends before it begins; write the earlier one first")
    return start, end


def _named(names: Sequence[str], first: int, what: str) -> Callable[[str], int]:
    def number(text: str) -> int:
        if text in names:
            return names.index(text) + first
        raise ValueError(f"is no {what}; write one such as {names[0]} or {names[0]}:{names[2]}")

    return number


def _number(low: int, high: int, what: str) -> Callable[[str], int]:
    def number(text: str) -> int:
        if re.fullmatch(r"-?\d{1,4}", text) and low <= int(text) <= high and int(text) != 0:
            return int(text)
        raise ValueError(f"is no {what}; write numbers from {low} to {high}, such as 1:5")

    return number


def _weekdays(text: str) -> Span:
    return _span(text, _named(_WEEKDAYS, 0, "weekday"))


def _days(text: str) -> Span:
    return _span(text, _number(-31, 31, "day of a month"))


def _months(text: str) -> Span:
    numbered = text.replace(":", "").strip().isdigit()
    return _span(text, _number(1, 12, "month") if numbered else _named(_MONTHS, 1, "month"))


def _years(text: str) -> Span:
    return _span(text, _number(1970, 9999, "year"))


_READERS: Final[dict[str, Callable[[str], Span]]] = {
    "weekdays": _weekdays,
    "days_of_month": _days,
    "months": _months,
    "years": _years,
}
