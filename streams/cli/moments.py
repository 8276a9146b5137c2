"""Points and lengths of time as people write them on the command line.

2023-03-09, 2023-03-09 20:00, 2023-03-09T20:00+01:00   UTC where no zone is given
2h, 1d12h, 90s                                         so long ago (a point), or so long (a length)
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from streams.cli.output import utc
from streams.wall_clock import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = [
    "MOMENT_HELP",
    "ForOption",
    "SinceOption",
    "UntilOption",
    "end_ms",
    "length_ms",
    "moment_ms",
    "optional_moment_ms",
]

_UNITS: Final = {"w": 7 * DAY_MS, "d": DAY_MS, "h": HOUR_MS, "m": MINUTE_MS, "s": 1000}
_PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([wdhms])")
_LENGTH: Final = re.compile(rf"(?:{_PART.pattern})+")

MOMENT_HELP: Final = "2023-03-09, '2023-03-09 20:00' (UTC), or 2h for two hours ago"

SinceOption = Annotated[str | None, typer.Option("--since", help=f"From then on: {MOMENT_HELP}.")]
UntilOption = Annotated[str | None, typer.Option("--until", help="Before then, written alike.")]
ForOption = Annotated[str, typer.Option("--for", help="For how long: 30m, 4h, 2d.")]


def length_ms(text: str) -> int:
    """Returns the milliseconds of `90s`, `30m`, `1d12h`. Raises `typer.BadParameter` for another text."""
    if not _LENGTH.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no length of time; write 90s, 30m, 2h, 1d12h or 2w")
    return round(sum(float(count) * _UNITS[unit] for count, unit in _PART.findall(text)))


def moment_ms(text: str, now_ms: int) -> int:
    """Returns the UTC epoch milliseconds of a time, or of a length before `now_ms`.

    Raises `typer.BadParameter` for another text.
    """
    if text == "now":
        return now_ms
    if _LENGTH.fullmatch(text):
        return now_ms - length_ms(text)
    try:
        read = datetime.fromisoformat(text)
        aware = read.replace(tzinfo=UTC) if read.tzinfo is None else read
        return round(aware.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is no time; write {MOMENT_HELP}") from error


def optional_moment_ms(text: str | None, now_ms: int) -> int | None:
    """Returns `moment_ms`, None where no time was given."""
    return None if text is None else moment_ms(text, now_ms)


def end_ms(length: str, until: str | None, now_ms: int, begins_ms: int | None = None) -> int:
    """Returns when something ends that begins at `begins_ms`, by default now: at `until`, else after `length`.

    Raises `typer.BadParameter` for an end before it begins, and for one that is past.
    """
    starts_ms = now_ms if begins_ms is None else begins_ms
    found = starts_ms + length_ms(length) if until is None else moment_ms(until, now_ms)
    if found <= starts_ms:
        raise typer.BadParameter(f"it would end before it begins, at {utc(starts_ms)}; give a later time to end")
    if found <= now_ms:
        raise typer.BadParameter(f"it would be over: here it is {utc(now_ms)} now; give a time to come")
    return found
