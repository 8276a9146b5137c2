"""Which items a series did not count, because it had counted a copy within the 24 hours before.

    the items of a page ─► their stories' members ─► copies in the series, oldest first ─► counted or repeat

The same rule as that of `alerts.copies`: of the copies of a title the first counts, and a repeat does not extend the
24 hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from alerts.copies import HORIZON_SECONDS
from streams.archive.protocol import Archive, StoryMember
from streams.records import Scored

__all__ = ["repeats_of"]

_MOST: Final = 2_000
"""Earlier items of the stories of a page that are looked at, the newest of them."""


async def repeats_of(
    archive: Archive, items: Sequence[Scored], members: Mapping[str, Sequence[StoryMember]], series: str
) -> dict[str, int]:
    """Returns, by the id of each item that `series` did not count, when the copy that it counted was seen (ms)."""
    shown = {one.news.id: one for one in items if _counts(one, series)}
    newest_ms = max((one.news.seen_ms for one in shown.values()), default=0)
    earlier = [
        member
        for story in {one.story.id for one in shown.values()}
        for member in members.get(story, ())
        if member.id not in shown and member.seen_ms <= newest_ms
    ]
    earlier = sorted(earlier, key=lambda one: (-one.seen_ms, one.id))[:_MOST]
    others = await archive.items_by_id([one.id for one in earlier]) if earlier else []
    copies: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for one in [*shown.values(), *(other for other in others if _counts(other, series))]:
        copies[one.signature].append((one.news.seen_ms, one.news.id))
    return {item_id: seen_ms for rows in copies.values() for item_id, seen_ms in _repeats(rows) if item_id in shown}


def _counts(item: Scored, series: str) -> bool:
    return series in item.series and bool(item.heads) and not item.late and int(item.signature, 16) != 0


def _repeats(rows: Sequence[tuple[int, str]]) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    counted_ms: int | None = None
    for seen_ms, item_id in sorted(rows):
        if counted_ms is not None and seen_ms // 1000 - counted_ms // 1000 < HORIZON_SECONDS:
            found.append((item_id, counted_ms))
        else:
            counted_ms = seen_ms
    return found
