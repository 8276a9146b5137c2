"""What holds alerts back: another alert that fires, a silence or a maintenance window, as the judge last saw it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from alerts.judge.entries import ViewKind
from alerts.judge.rows import AlertRow
from streams.archive.protocol import Archive

__all__ = ["HeldBack", "held_back"]

_IDS_AT_ONCE = 1_000


class HeldBack(msgspec.Struct, frozen=True):
    """By what an alert is not sent now: `by` is `inhibited`, `silence` or `maintenance`, `id` the alert's or theirs.

    `series` is that of the alert that inhibits, empty where the archive lacks it.
    """

    by: str
    id: str
    series: str = ""

    @property
    def text(self) -> str:
        if self.by == "inhibited":
            return f"held back while {self.series or 'another alert'} fires" + (
                f" (alert {self.id})" if self.id else ""
            )
        return f"held back by the {'maintenance window' if self.by == 'maintenance' else self.by} {self.id}"


async def held_back(archive: Archive, alerts: Iterable[str]) -> dict[str, HeldBack]:
    """Returns what holds back each of these alerts that is not sent now."""
    rows = await _rows(archive, alerts)
    found = {name: row.hidden for name, row in rows.items() if row.hidden_by and row.fires}
    above = await _rows(archive, {name for by, name in found.values() if by == "inhibited" and name})
    return {
        name: HeldBack(by, other, above[other].event.series if other in above else "")
        for name, (by, other) in found.items()
    }


async def _rows(archive: Archive, ids: Iterable[str]) -> dict[str, AlertRow]:
    wanted = sorted(set(ids))
    found: dict[str, AlertRow] = {}
    for start in range(0, len(wanted), _IDS_AT_ONCE):
        some = wanted[start : start + _IDS_AT_ONCE]
        for view in await archive.views(ViewKind.ALERT, ids=some, limit=len(some)):
            found[view.id] = _decoder.decode(view.body)
    return found


_decoder = msgspec.json.Decoder(AlertRow)
