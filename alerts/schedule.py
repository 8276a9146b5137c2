"""When a rule is on: days of the week and hours of the day, in a time zone.

>>> office = Schedule(days=("mon", "fri"), begins="07:00", ends="19:00", time_zone="Europe/Berlin")
>>> office.covers(1_678_690_800_000), office.covers(1_678_734_000_000)  # a Monday at 8:00 and at 20:00 in Berlin
(True, False)
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal

import msgspec

from alerts.times import is_time_of_day, minute_of_day, zone_of

__all__ = ["DAYS", "Schedule"]

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


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
            if not is_time_of_day(text):
                yield (key,), f'{text!r} is no time of the day; write one such as "07:30", in quotes'
        if self.begins == self.ends:
            yield ("to",), "is the same as `from`; leave both out for the whole day"
        try:
            zone_of(self.time_zone)
        except ValueError as error:
            yield ("time_zone",), str(error)

    def covers(self, now_ms: int) -> bool:
        """Whether the time (UTC epoch ms) falls into it."""
        at = datetime.fromtimestamp(now_ms // 1000, zone_of(self.time_zone))
        minute, begins, ends = at.hour * 60 + at.minute, minute_of_day(self.begins), minute_of_day(self.ends)
        if begins < ends:
            return begins <= minute < ends and DAYS[at.weekday()] in self.days
        if minute >= begins:
            return DAYS[at.weekday()] in self.days
        return minute < ends and DAYS[at.weekday() - 1] in self.days
