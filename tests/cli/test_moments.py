"""Times and lengths of time as they are written on the command line."""

from __future__ import annotations

import pytest
import typer

from streams.cli.moments import length_ms, moment_ms
from streams.wall_clock import DAY_MS, HOUR_MS, MINUTE_MS

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", 90_000), ("30m", 30 * MINUTE_MS), ("1d12h", 36 * HOUR_MS), ("2w", 14 * DAY_MS), ("1.5h", 90 * MINUTE_MS)],
)
def test_a_length_is_read(text: str, expected: int) -> None:
    assert length_ms(text) == expected
    assert moment_ms(text, NOW_MS) == NOW_MS - expected


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2 h", "2h!", "h2", "2y"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no length of time"):
        length_ms(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW_MS),
        ("1970-01-02", DAY_MS),
        ("1970-01-01 01:30", 90 * MINUTE_MS),
        ("1970-01-01T01:30+01:00", 30 * MINUTE_MS),
    ],
)
def test_a_time_is_read_in_utc_where_it_names_no_zone(text: str, expected: int) -> None:
    assert moment_ms(text, NOW_MS) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2023-13-01", "12:00", "-2h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no time"):
        moment_ms(text, NOW_MS)
