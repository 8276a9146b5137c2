"""Alerts as the archive and the judge's views have them: which are open, acknowledged, silenced or over.

archive.alerts ─► present states ─┐
views: alerts ────────────────────┼─► Known ─► the filter ─► a page
views: silences, maintenance ─────┘
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from alerts import AlertEvent
from alerts.delivery.group import severity_rank
from alerts.judge.entries import ViewKind
from alerts.judge.mutes import hides
from alerts.judge.rows import AlertRow, MuteRow
from alerts.records import labels_of
from streams.archive.protocol import Archive, StoredAlert, StoredView
from streams.board.shapes.alerts import AlertFilter, AlertsQuery
from streams.jobs.alert_search import OPEN

__all__ = ["Known", "Place", "find_alerts", "headlines_at_height", "known_alerts", "open_alerts"]

MOST_OPEN: Final = 5_000
"""Open alerts that are looked at; a storm has a thousand."""
_SCANNED: Final = 5_000
_MOST_MUTES: Final = 5_000
_INHIBITED: Final = "inhibited"

Place = tuple[int, int, str]
"""How severe the last alert of a page is (0 among those that are over), its onset (ms) and its id."""


@dataclass(frozen=True, slots=True)
class Known:
    """An alert with what people decided about it; `version` is 0 where the judge knows it not (yet)."""

    event: AlertEvent
    row: AlertRow
    version: int
    silences: tuple[str, ...] = ()
    """Ids of the silences and maintenance windows that hide it now."""

    @property
    def acknowledged(self) -> bool:
        return bool(self.row.acknowledged_by)

    @property
    def inhibited(self) -> bool:
        """Whether another alert stood above it when its message was last looked at."""
        return self.row.hidden[0] == _INHIBITED

    @property
    def inhibitor(self) -> str:
        """The id of that other alert; empty without one."""
        return self.row.hidden[1] if self.inhibited else ""

    @property
    def place(self) -> Place:
        return severity_rank(self.event.severity), self.event.onset_ms, self.event.id


async def find_alerts(
    archive: Archive, asked: AlertsQuery, now_ms: int, after: Place | None
) -> tuple[list[Known], Place | None]:
    """Returns a page of the alerts that the filter names, and where the next one begins.

    The most severe come first, so that a storm hides none; those that are over, and all of one severity, by onset, the
    latest first.
    """
    if asked.state is AlertFilter.HISTORY:
        return await _over(archive, asked, now_ms, after)
    stored = await open_alerts(archive, asked.series, asked.since_ms)
    found = [one for one in await known_alerts(archive, stored, now_ms) if _is_wanted(one, asked)]
    found.sort(key=lambda one: _order(one.place))
    rest = [one for one in found if after is None or _order(one.place) > _order(after)]
    page = rest[: asked.limit]
    return page, page[-1].place if len(rest) > len(page) else None


def _order(place: Place) -> Place:
    return -place[0], -place[1], place[2]


def _is_wanted(known: Known, asked: AlertsQuery) -> bool:
    if asked.severity not in ("", known.event.severity):
        return False
    if asked.state is AlertFilter.ACKNOWLEDGED:
        return known.acknowledged
    if asked.state is AlertFilter.SILENCED:
        return bool(known.silences)
    return not known.acknowledged and not known.silences


async def open_alerts(archive: Archive, series: str = "", since_ms: int | None = None) -> list[StoredAlert]:
    """Returns the alerts that are not over, the latest onset first."""
    found = [
        one
        for state in OPEN
        for one in await archive.alerts(series=series, state=state, since_ms=since_ms, limit=MOST_OPEN)
    ]
    return sorted(found, key=lambda one: _order((0, one.onset_ms, one.id)))


async def _over(
    archive: Archive, asked: AlertsQuery, now_ms: int, after: Place | None
) -> tuple[list[Known], Place | None]:
    """Those that ended, and information that never lasts."""
    page: list[StoredAlert] = []
    scanned, size = 0, asked.limit + 1
    while scanned < _SCANNED:
        chunk = await _ended(archive, asked, after, size)
        for one in chunk:
            if len(page) == asked.limit:
                return await known_alerts(archive, page, now_ms), after
            after = 0, one.onset_ms, one.id
            if asked.severity in ("", one.severity):
                page.append(one)
        scanned += len(chunk)
        if len(chunk) < size:
            return await known_alerts(archive, page, now_ms), None
    return await known_alerts(archive, page, now_ms), after


async def _ended(archive: Archive, asked: AlertsQuery, after: Place | None, size: int) -> list[StoredAlert]:
    before = None if after is None else after[1:]
    found = [
        one
        for state in ("resolved", "noted")
        for one in await archive.alerts(
            series=asked.series, state=state, since_ms=asked.since_ms, before=before, limit=size
        )
    ]
    return sorted(found, key=lambda one: _order((0, one.onset_ms, one.id)))[:size]


async def known_alerts(archive: Archive, stored: Sequence[StoredAlert], now_ms: int) -> list[Known]:
    """Returns the alerts, in order, with what the judge's views say of them at `now_ms`, in the time of alerts."""
    if not stored:
        return []
    views = await archive.views(ViewKind.ALERT, ids=[one.id for one in stored], limit=len(stored))
    known = {view.id: view for view in views}
    mutes = await _mutes(archive, now_ms)
    return [_known(one, known.get(one.id), mutes) for one in stored]


def headlines_at_height(event: AlertEvent, history: Iterable[StoredAlert]) -> AlertEvent:
    """Returns an alert that is over with the headlines of its height; as it is where the archive lacks them.

    Its last update has the last headlines: those of calm.
    """
    if event.state != "resolved" or not event.peak.at_ms:
        return event
    for stored in sorted(history, key=lambda one: -one.updated_ms):
        earlier = AlertEvent.from_json(stored.body) if stored.updated_ms <= event.peak.at_ms else None
        if earlier is not None and earlier.top_items:
            return _titled(event, earlier)
    return event


async def _mutes(archive: Archive, now_ms: int) -> list[MuteRow]:
    """The silences and maintenance windows that hold at a time."""
    kinds = (ViewKind.SILENCE, ViewKind.MAINTENANCE)
    views = [view for kind in kinds for view in await archive.views(kind, limit=_MOST_MUTES)]
    mutes = [_mute.decode(view.body) for view in views]
    return [mute for mute in mutes if mute.holds(now_ms)]


def _known(stored: StoredAlert, view: StoredView | None, mutes: Iterable[MuteRow]) -> Known:
    event = AlertEvent.from_json(stored.body)
    if view is None:
        labels = event.labels or labels_of(event.rule, event.signal, event.series, event.kind, event.severity)
        row = AlertRow(event=event, labels=labels, changed_ms=event.updated_ms)
    else:
        row = _row.decode(view.body)
        if row.event.revision >= event.revision or not event.top_items:
            event = row.event if row.event.revision >= event.revision else _titled(event, row.event)
    silences = tuple(mute.id for mute in mutes if hides(mute, row)) if row.fires else ()
    return Known(event, row, view.version if view is not None else 0, silences)


def _titled(event: AlertEvent, before: AlertEvent) -> AlertEvent:
    """An update comes without headlines."""
    return msgspec.structs.replace(event, top_items=before.top_items)


_row = msgspec.json.Decoder(AlertRow)
_mute = msgspec.json.Decoder(MuteRow)
