"""When messages may be sent: intervals in time zones, quiet hours over midnight, digests over changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.clock import HOUR_MS, MINUTE_MS
from alerts.judge.hours import DAY_MINUTES, Digest, Hours, Interval
from alerts.times import zone_of

BERLIN = zone_of("Europe/Berlin")
NIGHT = Interval(minutes=((22 * 60, DAY_MINUTES), (0, 7 * 60)), zone=BERLIN)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1000


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        (NIGHT, "2023-07-01T23:30+02:00", "2023-07-01T07:00+02:00"),
        (Interval(weekdays=((0, 4),)), "2023-07-07T12:00+00:00", "2023-07-08T12:00+00:00"),
        (Interval(days=((-3, -1),)), "2023-02-26T12:00+00:00", "2023-02-25T12:00+00:00"),
        (Interval(days=((1, 5), (31, 31))), "2023-03-31T12:00+00:00", "2023-04-30T12:00+00:00"),
        (Interval(months=((12, 12),)), "2023-12-24T12:00+00:00", "2023-11-24T12:00+00:00"),
        (Interval(years=((2024, 2025),)), "2024-01-01T00:00+00:00", "2023-12-31T23:59+00:00"),
    ],
)
def test_an_interval(interval: Interval, inside: str, outside: str) -> None:
    assert interval.contains(ms(inside))
    assert not interval.contains(ms(outside))


def test_quiet_hours_end_by_the_clock_of_the_place() -> None:
    hours = Hours(muted=(NIGHT,), unless=2)
    before = ms("2023-03-25T23:00+01:00")  # the clocks go forward at night
    assert hours.closed(before, 1)
    assert not hours.closed(before, 2)
    assert hours.opens_ms(before) == ms("2023-03-26T07:00+02:00")


def test_active_times_are_the_only_ones() -> None:
    office = Interval(minutes=((9 * 60, 17 * 60),), weekdays=((0, 4),), zone=BERLIN)
    hours = Hours(active=(office,))
    friday = ms("2023-07-07T18:00+02:00")
    assert hours.closed(friday, 2)
    assert hours.opens_ms(friday) == ms("2023-07-10T09:00+02:00")


def test_hours_that_never_open_are_looked_at_again_a_day_later() -> None:
    assert Hours(muted=(Interval(),)).opens_ms(1_000) == 1_000 + 24 * HOUR_MS


def test_digests() -> None:
    assert Digest().next_ms(ms("2023-07-01T10:00+00:00")) == ms("2023-07-01T11:00+00:00")
    daily = Digest(8 * 60, BERLIN)
    assert daily.next_ms(ms("2023-03-25T08:00+01:00")) == ms("2023-03-26T08:00+02:00")
    assert daily.next_ms(ms("2023-03-26T07:59+02:00")) == ms("2023-03-26T08:00+02:00")


@given(st.integers(0, 2_000_000), st.integers(0, 23), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))
def test_hours_open_at_the_first_minute_that_is_not_muted(minute: int, hour: int, zone: str) -> None:
    start, end = hour * 60, (hour * 60 + 500) % DAY_MINUTES
    spans = ((start, end),) if start < end else ((start, DAY_MINUTES), (0, end))
    hours = Hours(muted=(Interval(minutes=spans, zone=zone_of(zone)),))
    at_ms = int(datetime(2023, 6, 1, tzinfo=UTC).timestamp()) * 1000 + (minute % 100_000) * MINUTE_MS
    if hours.closed(at_ms, 1):
        opens = hours.opens_ms(at_ms)
        minutes = range(at_ms, opens, MINUTE_MS)
        assert all(hours.closed(one, 1) for one in minutes)
        assert not hours.closed(opens, 1)


CHANGES = [
    ("Europe/Berlin", "2026-03-29T01:00+00:00"),
    ("Europe/Berlin", "2026-10-25T01:00+00:00"),
    ("America/New_York", "2026-03-08T07:00+00:00"),
    ("America/New_York", "2026-11-01T06:00+00:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00+00:00"),  # by half an hour
    ("Africa/Cairo", "2026-10-29T21:00+00:00"),  # at midnight
]


@given(st.sampled_from(CHANGES), st.integers(-600, 240), st.integers(0, DAY_MINUTES - 1), st.integers(1, 900))
def test_hours_open_at_the_first_minute_that_is_not_muted_over_a_change_of_clocks(
    change: tuple[str, str], minutes: int, start: int, length: int
) -> None:
    zone, end = zone_of(change[0]), start + length
    spans = ((start, end),) if end <= DAY_MINUTES else ((start, DAY_MINUTES), (0, end - DAY_MINUTES))
    hours = Hours(muted=(Interval(minutes=spans, zone=zone),))
    at_ms = ms(change[1]) + minutes * MINUTE_MS
    if hours.closed(at_ms, -1):
        later = (at_ms + number * MINUTE_MS for number in range(1, 3 * DAY_MINUTES))
        assert hours.opens_ms(at_ms) == next(one for one in later if not hours.closed(one, -1))


def test_a_time_that_comes_twice_ends_quiet_hours_and_has_one_digest() -> None:
    night = Interval(minutes=((22 * 60, DAY_MINUTES), (0, 150)), zone=BERLIN)
    assert Hours(muted=(night,)).opens_ms(ms("2026-10-25T02:20+01:00")) == ms("2026-10-25T02:30+01:00")
    digest = Digest(150, BERLIN)
    first = digest.next_ms(ms("2026-10-25T00:00+02:00"))
    assert (first, digest.next_ms(first)) == (ms("2026-10-25T02:30+02:00"), ms("2026-10-26T02:30+01:00"))
