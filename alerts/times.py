"""Times of the day and time zones as people write them: `HH:MM`, and names such as `Europe/Berlin`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["is_time_of_day", "minute_of_day", "zone_of"]

_TIME: Final = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}")


def is_time_of_day(text: str) -> bool:
    """Whether the text is a time from 00:00 to 24:00, the end of the day."""
    return _TIME.fullmatch(text) is not None


@lru_cache(maxsize=1_000)
def minute_of_day(text: str) -> int:
    """Returns the minute of the day, 0 to 1,440, of `HH:MM`. Raises `ValueError` for what is not two numbers."""
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


@lru_cache(maxsize=1_000)
def zone_of(name: str) -> ZoneInfo:
    """Returns the time zone. Raises `ValueError` for one that is not known."""
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (OSError, LookupError, ValueError):  # a folder, no such file
        pass
    raise ValueError(f"there is no time zone {name!r}; write one such as Europe/Berlin")
