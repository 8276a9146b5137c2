"""``Retry-After``: seconds, dates and nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.delivery.retry_after import retry_after_seconds

NOW_MS = 1_780_000_000_000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 17 ", 17.0),
        ("Thu, 28 May 2026 20:28:00 GMT", 80.0),
        ("Wed, 01 Jan 2020 00:00:00 GMT", 0.0),
        ("Wed, 01 Jan 2020 00:00:00", 0.0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 86_400.0),
        ("99999999999", 86_400.0),
        ("soon", None),
        (None, None),
        ("", None),
        ("-5", None),
        ("9" * 30, None),
        ("9" * 5_000, None),
        ("\u00b2", None),
        ("1e5", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400.0),
        ("Mon, 01 Jan 2020 00:00:00 +9999", None),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
    ],
)
def test_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW_MS) == seconds


@given(st.text(alphabet="0123456789 :,-+GMTMonJan\u00b2\u0663\t", max_size=40) | st.text(max_size=20))
def test_any_text_is_a_bounded_wait_or_none(value: str) -> None:
    wait = retry_after_seconds(value, NOW_MS)
    assert wait is None or 0.0 <= wait <= 86_400.0
