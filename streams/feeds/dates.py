"""Dates as sources write them -> UTC epoch milliseconds, or None when they make no sense.

    number ─────────────► seconds, milliseconds or microseconds, by size
    text ── ISO 8601 ──── RFC 822 (e-mail, RSS) ──── dateutil ──► the first that reads it

A wrong date is no reason to reject an item: it only moves no clock.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from dateutil import parser as dateutil_parser

__all__ = ["EARLIEST_BARE_MS", "LATEST_MS", "is_plausible", "parse_date", "read_date"]

LATEST_MS = 4_102_444_800_000  # 2100-01-01; nothing before 1970 or after this is a publication date
_LONGEST_DATE = 64
_EARLIEST_BARE_SECONDS = 100_000_000  # 1973; a smaller bare number is a year, a day or a counter
EARLIEST_BARE_MS = 100_000_000_000  # 1973; read as seconds, this would be the year 5138
_EARLIEST_BARE_US = 100_000_000_000_000
_YEAR_1_MS = -62_135_596_800_000
_YEAR_BELOW_100 = re.compile(r"(?:\s|[A-Za-z]-)00\d\d\b(?!:)")  # "+0000" is no year
# Abbreviations are ambiguous; these are what English-language wires mean by them. Unknown ones count as UTC.
_HOURS_OF_ZONE = {
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "ET": -5,
    "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "IST": 5.5, "HKT": 8, "SGT": 8, "JST": 9,
    "KST": 9, "AEST": 10, "AEDT": 11,
}  # fmt: skip


def parse_date(value: Any, formats: Sequence[str] = ("auto",), zone: tzinfo = UTC) -> int | None:
    """Returns `value` as UTC epoch milliseconds by the first of `formats` that reads it, else None.

    Formats: ``auto``, ``iso``, ``unix_s``, ``unix_ms`` or a `strptime` pattern. `zone` applies to texts that
    name none. Results before 1970 or after 2099 are None.
    """
    for name in formats:
        milliseconds = _parse_as(name, value, zone)
        if milliseconds is not None and is_plausible(milliseconds):
            return milliseconds
    return None


def is_plausible(milliseconds: int) -> bool:
    """Whether something may have been published then: from 1970 to 2099."""
    return 0 <= milliseconds < LATEST_MS


def read_date(value: Any) -> int | None:
    """Returns what `parse_date` makes of `value`, but of any year: None says that it is no date."""
    return _parse_as("auto", value, UTC)


def _parse_as(name: str, value: Any, zone: tzinfo) -> int | None:
    if isinstance(value, bool):
        return None
    if name in ("unix_s", "unix_ms"):
        return _scaled(value, 1000 if name == "unix_s" else 1)
    if isinstance(value, (int, float)):
        return _bare_number(value) if name == "auto" else None
    if not isinstance(value, str) or len(value) > _LONGEST_DATE:
        return None
    if name == "auto":
        return _read_text(value.strip(), zone)
    return _patterned(name, value.strip(), zone)


def _patterned(name: str, text: str, zone: tzinfo) -> int | None:
    try:
        read = datetime.fromisoformat(text) if name == "iso" else datetime.strptime(text, name)  # noqa: DTZ007  # zone follows
    except (ValueError, OverflowError):
        return None
    return _milliseconds(read, zone)


def _scaled(value: Any, factor: int) -> int | None:
    if not isinstance(value, (int, float, str)) or (isinstance(value, str) and len(value) > _LONGEST_DATE):
        return None
    try:
        return int(float(value) * factor)
    except (ValueError, OverflowError):  # no number, NaN, infinity
        return None


def _bare_number(number: int | float) -> int | None:
    """Seconds, milliseconds or microseconds since 1970, told apart by size."""
    if not _EARLIEST_BARE_SECONDS <= number < LATEST_MS * 1000:
        return None
    if number >= _EARLIEST_BARE_US:
        return int(number) // 1000
    return int(number) if number >= EARLIEST_BARE_MS else int(number * 1000)


def _read_text(text: str, zone: tzinfo) -> int | None:
    if text.isascii() and text.replace(".", "", 1).isdigit():
        number = _digits(text)  # first: to ISO 8601 the milliseconds 1680060120000 are a day of the year 1680
        if number is not None and number < LATEST_MS:
            return number
    try:
        return _milliseconds(datetime.fromisoformat(text), zone)
    except (ValueError, OverflowError):
        pass
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return None  # dateutil would see a day in any number
    if _YEAR_BELOW_100.search(text):
        return _YEAR_1_MS  # parsers count such years from 1900 or 2000; written with four digits they are meant
    return _read_mail_date(text, zone) or _read_freely(text, zone)


def _digits(text: str) -> int | None:
    return _bare_number(float(text) if "." in text else int(text))


def _read_mail_date(text: str, zone: tzinfo) -> int | None:
    try:
        return _milliseconds(email.utils.parsedate_to_datetime(text), zone)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _read_freely(text: str, zone: tzinfo) -> int | None:
    """dateutil fills what a text does not say from a default: two defaults that disagree mean it said no day."""
    try:
        first, second = (dateutil_parser.parse(text, default=default, tzinfos=_zone_of) for default in _DEFAULTS)
    except (ValueError, OverflowError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return None
    return _milliseconds(first, zone) if first == second else None


_DEFAULTS = (datetime(2001, 3, 4), datetime(2004, 5, 6))  # noqa: DTZ001  # the text's own zone, or none, decides


def _zone_of(name: str | None, offset_seconds: int | None) -> tzinfo | None:
    if offset_seconds is not None:
        return timezone(timedelta(seconds=offset_seconds))
    hours = _HOURS_OF_ZONE.get(name or "")
    return None if hours is None else timezone(timedelta(hours=hours))


def _milliseconds(read: datetime, zone: tzinfo) -> int | None:
    if read.tzinfo is None:
        read = read.replace(tzinfo=zone)
    try:
        return round(read.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
