"""Dates as sources write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.feeds.dates import LATEST_MS, parse_date

MOMENT = datetime(2026, 2, 17, 7, 36, 5, tzinfo=UTC)
MOMENT_MS = 1_771_313_765_000


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-17T07:36:05Z",
        "2026-02-17T08:36:05+01:00",
        "2026-02-17 07:36:05",
        "20260217T073605Z",
        "  2026-02-17T07:36:05Z\n",
        "Tue, 17 Feb 2026 07:36:05 GMT",
        "Tue, 17 Feb 2026 02:36:05 EST",
        "17 Feb 2026 07:36:05 +0000",
        "Feb 17, 2026 7:36:05 AM",
        "February 17, 2026 at 08:36:05 CET",
        "Tue Feb 17 07:36:05 +0000 2026",
        MOMENT_MS,
        MOMENT_MS / 1000,
        MOMENT_MS * 1000,
        str(MOMENT_MS),
        str(MOMENT_MS // 1000),
    ],
)
def test_one_moment_written_in_many_ways(value: Any) -> None:
    assert parse_date(value) == MOMENT_MS


def test_days_are_read_whole() -> None:
    assert parse_date("2026-02-17") == parse_date("20260217") == parse_date("17 February 2026") == 1_771_286_400_000


@pytest.mark.parametrize(
    "value",
    ["", "10:30", "March", "Tuesday", "2026", "0000-00-00", "1969-12-31", "2150-01-01", "31 Feb 2026", "x" * 10_000,
     "٣", float("nan"), float("inf"), True, None, [], {}, 12, -5, 10**400, "9" * 60, "1e5", "12 of 5 of 7 at -99:99"],
)  # fmt: skip
def test_what_names_no_day_is_none(value: Any) -> None:
    assert parse_date(value) is None


def test_formats_and_zones() -> None:
    assert parse_date("17/02/2026 08:36:05", ("%d/%m/%Y %H:%M:%S",), ZoneInfo("Europe/Berlin")) == MOMENT_MS
    assert parse_date("2026-02-17T08:36:05", ("iso",), ZoneInfo("Europe/Berlin")) == MOMENT_MS
    assert parse_date("1771313765", ("unix_s",)) == MOMENT_MS
    assert parse_date(1_771_313_765_000.0, ("unix_ms",)) == MOMENT_MS
    assert parse_date("17.02.2026", ("%d/%m/%Y", "%d.%m.%Y")) == 1_771_286_400_000
    assert parse_date("Tue, 17 Feb 2026 07:36:05 GMT", ("iso",)) is None


@given(st.integers(0, LATEST_MS - 1))
def test_iso_dates_come_back_exactly(milliseconds: int) -> None:
    assert parse_date(datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()) == milliseconds


@given(st.text(max_size=80) | st.integers() | st.floats() | st.binary(max_size=5))
def test_any_value_is_a_sensible_date_or_none(value: Any) -> None:
    for formats in (("auto",), ("iso",), ("unix_s",), ("unix_ms",), ("%d %m %Y",)):
        milliseconds = parse_date(value, formats)
        assert milliseconds is None or 0 <= milliseconds < LATEST_MS
