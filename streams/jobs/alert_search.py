"""Finding alerts in an archive: by the beginning of an id, by their latest changes, by what is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from streams.archive.protocol import Archive, StoredAlert
from streams.errors import MoodwireError

__all__ = ["OPEN", "alert_of", "changes_after", "latest_changes", "present_alerts"]

_PRESENT: Final = 1_000
_SHORTEST: Final = 4  # digits of an id: fewer name too many alerts
OPEN: Final = ("firing", "escalated")
"""The states of an alert that is not over."""


async def alert_of(archive: Archive, beginning: str) -> list[StoredAlert]:
    """Returns all changes of the one alert whose id is, or begins with, `beginning`; oldest first.

    The beginning finds the 10,000 alerts of the latest onset. Raises `MoodwireError` for none and for several.
    """
    history = await archive.alert_history(beginning) if beginning else []
    if history:
        return history
    present = await archive.alerts(limit=10_000) if len(beginning) >= _SHORTEST else []
    found = sorted({alert.id for alert in present if alert.id.startswith(beginning)})
    if not found:
        raise MoodwireError(f"there is no alert {beginning!r}; see `moodwire alerts list`")
    if len(found) > 1:
        raise MoodwireError(f"{len(found)} alerts begin with {beginning!r}: {', '.join(found[:3])} …; give more digits")
    return await archive.alert_history(found[0])


async def present_alerts(archive: Archive) -> list[StoredAlert]:
    """Returns the present states of the alerts of the latest onset, and of all that are open."""
    found = {alert.id: alert for state in ("", *OPEN) for alert in await archive.alerts(state=state, limit=_PRESENT)}
    return list(found.values())


async def latest_changes(archive: Archive, count: int) -> list[StoredAlert]:
    """Returns the latest changes of all alerts, the latest last: at most `count`."""
    present = sorted(await present_alerts(archive), key=_moment, reverse=True)[:count]
    changes = [change for alert in present for change in await archive.alert_history(alert.id)]
    return sorted(changes, key=_moment)[-count:] if count else []


async def changes_after(archive: Archive, known: Mapping[str, int]) -> Sequence[StoredAlert]:
    """Returns the changes that are newer than `known`, which maps an alert to its last change; oldest first."""
    moved = [alert for alert in await present_alerts(archive) if known.get(alert.id, 0) < alert.revision]
    changes = [change for alert in moved for change in await archive.alert_history(alert.id)]
    return sorted((change for change in changes if known.get(change.id, 0) < change.revision), key=_moment)


def _moment(alert: StoredAlert) -> tuple[int, str, int]:
    return alert.updated_ms, alert.id, alert.revision
