"""Names of indices and aliases, and the index that a day's items go to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from streams.wall_clock import DAY_MS

__all__ = ["OVERFLOW", "Names", "day_of"]

OVERFLOW = "overflow"
_FAR_MS = 253_402_300_800_000  # the year 10000, where `datetime` ends


@dataclass(frozen=True, slots=True)
class Names:
    """Every name that an archive with this prefix uses."""

    prefix: str

    @property
    def items(self) -> str:
        """Alias over all days that shows the items alone, each once: what dashboards read."""
        return f"{self.prefix}items"

    @property
    def versions(self) -> str:
        """Alias over all days with the revisions too."""
        return f"{self.prefix}versions"

    @property
    def days(self) -> str:
        """Pattern of the indices behind both aliases."""
        return f"{self.prefix}items-*"

    @property
    def registry(self) -> str:
        """What is known of each id: its versions, and where they stand."""
        return f"{self.prefix}registry"

    @property
    def sightings(self) -> str:
        """Duplicates, by position."""
        return f"{self.prefix}sightings"

    @property
    def alerts(self) -> str:
        """The present state of every alert."""
        return f"{self.prefix}alerts"

    @property
    def alert_states(self) -> str:
        """Every state of every alert."""
        return f"{self.prefix}alert-states"

    @property
    def notifications(self) -> str:
        return f"{self.prefix}notifications"

    @property
    def decisions(self) -> str:
        """The audit trail: what people decided."""
        return f"{self.prefix}decisions"

    @property
    def views(self) -> str:
        """What the judge of alerts knows now."""
        return f"{self.prefix}views"

    @property
    def hours(self) -> str:
        """Alias over the days of what `watch` counted in each hour of a series."""
        return f"{self.prefix}hours"

    @property
    def hour_days(self) -> str:
        """Pattern of the indices behind that alias."""
        return f"{self.prefix}hours-*"

    def hours_of_day(self, day: str) -> str:
        """The index of the hours of a day, named as `of_day` is."""
        return f"{self.prefix}hours-{day}"

    def of_day(self, day: str) -> str:
        """The index of a day such as 2026.11.24, or of what lies outside the retention."""
        return f"{self.prefix}items-{day}"

    def ended_before(self, index: str, before_ms: int) -> bool:
        """Whether an index holds a day that was over at `before_ms`; never true of the overflow."""
        day = index.removeprefix(f"{self.prefix}items-").removeprefix(f"{self.prefix}hours-")
        try:
            parsed = datetime.strptime(day, "%Y.%m.%d").replace(tzinfo=UTC)
        except ValueError:
            return False
        return int(parsed.timestamp() * 1000) + DAY_MS <= before_ms


def day_of(seen_ms: int, now_ms: int, retention_days: int) -> str:
    """The day (UTC) that an item belongs to, or `OVERFLOW` for one outside the retention or in the future.

    The day is that of `seen`, the clock of everything else: what a source claims about its date moves no item
    into another index. A day's slack is left at both ends, for clocks that disagree.
    """
    if not 0 <= seen_ms < _FAR_MS:
        return OVERFLOW
    day = datetime.fromtimestamp(seen_ms / 1000, UTC).date()
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    return _name(day) if -1 <= (today - day) / timedelta(days=1) <= retention_days else OVERFLOW


def _name(day: date) -> str:
    return day.strftime("%Y.%m.%d")
