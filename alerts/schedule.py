"""When a rule is on: days of the week and hours of the day, in a time zone.

>>> office = Schedule(days=("mon", "fri"), begins="07:00", ends="19:00", time_zone="Europe/Berlin")
>>> office.covers(1_678_690_800_000), office.covers(1_678_734_000_000)  # a Monday at 8:00 and at 20:00 in Berlin
(True, False)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

__all__ = ["DAYS", "Schedule", "time_zone"]

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTE_OF_DAY: Final = re.compile(r"(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}")


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"begins": "from", "ends": "to"}):
    """Days, and hours [from, to) of each, as `HH:MM`; hours that pass midnight belong to the day they begin on."""

    days: tuple[Day, ...] = DAYS
    begins: str = "00:00"
    ends: str = "24:00"
    time_zone: str = "UTC"

    def mistakes(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yields what its types cannot say."""
        if not self.days:
            yield ("days",), f"is empty; list some of {', '.join(DAYS)}"
        for key, text in (("from", self.begins), ("to", self.ends)):
            if not _MINUTE_OF_DAY.fullmatch(text):
                yield (key,), f'{text!r} is no time of the day; write one such as "07:30", in quotes'
        if self.begins == self.ends:
            yield ("to",), "is the same as `from`; leave both out for the whole day"
        if time_zone(self.time_zone) is None:
            yield ("time_zone",), f"there is no time zone {self.time_zone!r}; write one such as Europe/Berlin"

    def covers(self, now_ms: int) -> bool:
        """Whether the time (UTC epoch ms) falls into it."""
        at = datetime.fromtimestamp(now_ms // 1000, time_zone(self.time_zone))
        minute, begins, ends = at.hour * 60 + at.minute, _minutes(self.begins), _minutes(self.ends)
        if begins < ends:
            return begins <= minute < ends and DAYS[at.weekday()] in self.days
        if minute >= begins:
            return DAYS[at.weekday()] in self.days
        return minute < ends and DAYS[at.weekday() - 1] in self.days


@lru_cache
def time_zone(name: str) -> ZoneInfo | None:
    """Returns the time zone of that name; None where there is none."""
    try:
        return ZoneInfo(name) if _ZONE.fullmatch(name) else None
    except (KeyError, OSError, ValueError):  # not known, a folder, no such file
        return None


@lru_cache
def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
