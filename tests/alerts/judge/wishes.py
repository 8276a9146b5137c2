"""What twenty people want to be sent: each differs from the others in one or two things."""

from __future__ import annotations

from typing import Any

from alerts.judge.decisions import QuietHours

__all__ = ["WISHES"]

WISHES: tuple[dict[str, Any], ...] = (
    {},
    {"minimum_severity": "critical"},
    {"minimum_severity": "info"},
    {"watchlists": ("svb",)},
    {"watchlists": ("banks",), "group_by": ("series",)},
    {"matchers": ("kind=entity",)},
    {"matchers": ('kind=~"source|subject"',), "digest": "hour"},
    {"digest": "hour"},
    {"digest": "day"},
    {"digest": "day", "digest_at": "17:30", "time_zone": "America/New_York"},
    {"quiet": QuietHours("22:00", "07:00"), "time_zone": "Europe/Berlin"},
    {"quiet": QuietHours("22:00", "07:00", "info"), "time_zone": "Asia/Tokyo"},
    {"quiet": QuietHours("00:00", "23:00"), "minimum_severity": "critical"},
    {"group_by": ("series",), "matchers": ('name=~".*bank.*"',)},
    {"group_by": ("kind",)},
    {"group_by": ("kind", "severity"), "matchers": ("kind!=everything",)},
    {"group_by": (), "digest": "hour", "matchers": ("kind=entity",)},
    {"matchers": ("severity=warning",)},
    {"matchers": ("signal=positive",)},
    {"matchers": ('series=~"entity/(SIVB|SBNY).*"',)},
)
