"""The embedded archive: one SQLite file, written by one thread, read by another and by other processes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import msgspec

from streams.archive import hours as hour_rows
from streams.archive import queries
from streams.archive.protocol import (
    ArchiveStats,
    Claims,
    Count,
    Faceted,
    Hit,
    Outcome,
    Query,
    RateBucket,
    RecentStory,
    SeriesSum,
    StoredAlert,
    StoredDecision,
    StoredHour,
    StoredNotification,
    StoredView,
    StoryMember,
    Unscored,
    Written,
)
from streams.archive.searching import faceted, search
from streams.archive.threads import Reader, Writer
from streams.archive.words import spread
from streams.archive.writer import ItemWriter, remove_members
from streams.records import Scored

__all__ = ["SqliteArchive"]

_KEEP_LATEST = """
INSERT INTO notifications VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, attempts = excluded.attempts, since_ms = excluded.since_ms,
    updated_ms = excluded.updated_ms, problem = excluded.problem, revision = excluded.revision
    WHERE excluded.revision > revision
"""

_KEEP_LATEST_VIEW = """
INSERT INTO views VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET
    version = excluded.version, place = excluded.place, body = excluded.body WHERE excluded.place > place
"""

_PRUNE_STEP = 1_000
_decoder = msgspec.msgpack.Decoder(Scored)


class SqliteArchive:
    """The archive in the file `path`. Raises `ArchiveError` when the file is none of ours."""

    def __init__(self, path: Path) -> None:
        self._writer = Writer(path)
        self._reader = Reader(path)
        self._items = ItemWriter(self._writer.db)
        self._writer.rolled_back = self._items.forget

    def check(self) -> None:
        """Raises `ArchiveDamaged` when the path names the open file no longer; a few microseconds."""
        self._writer.check()

    async def is_new(self) -> bool:
        """Whether nothing was ever written to it: one that was pruned of all items is not."""
        return await self._reader.do(queries.is_new)

    async def claim(self, records: Sequence[Unscored]) -> None:
        """Nothing is won by it: a batch is one transaction."""

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> list[Written]:  # noqa: ARG002  # it makes none
        return await self._writer.do(lambda _: self._items.write(items))

    async def stats(self) -> ArchiveStats:
        return await self._reader.do(queries.stats)

    async def unscored(self) -> dict[str, int]:
        return await self._reader.do(queries.unscored)

    async def items_by_id(self, ids: Sequence[str]) -> list[Scored]:
        return await self._reader.do(lambda db: queries.items_by_id(db, ids))

    async def outcomes(self, items: Sequence[Scored]) -> list[Outcome]:
        return await self._reader.do(lambda db: queries.outcomes(db, items))

    async def revisions(self, item_id: str) -> list[Scored]:
        return await self._reader.do(lambda db: queries.revisions(db, item_id))

    async def story(self, story_id: str) -> list[Scored]:
        return await self._reader.do(lambda db: queries.story(db, story_id))

    async def story_members(self, story_ids: Sequence[str]) -> dict[str, list[StoryMember]]:
        return await self._reader.do(lambda db: queries.story_members(db, story_ids))

    async def newest_of(self, series: Sequence[str], since_ms: int, until_ms: int) -> dict[str, Scored]:
        return await self._reader.do(lambda db: queries.newest_of(db, series, since_ms, until_ms))

    async def search(self, query: Query) -> list[Hit]:
        return await self._reader.do(lambda db: search(db, query))

    async def faceted(self, query: Query) -> list[Faceted]:
        return await self._reader.do(lambda db: faceted(db, query))

    async def rates(self, series: str, signal: str, since_ms: int, until_ms: int, bucket_ms: int) -> list[RateBucket]:
        return await self._reader.do(lambda db: queries.rates(db, series, signal, since_ms, until_ms, bucket_ms))

    async def top(self, kind: str, signal: str, since_ms: int, until_ms: int, limit: int = 20) -> list[Count]:
        return await self._reader.do(lambda db: queries.top(db, kind, signal, since_ms, until_ms, limit))

    async def stories(
        self, *, partition: int, epoch: str, before_offset: int, since_ms: int, limit: int
    ) -> list[RecentStory]:
        return await self._reader.do(lambda db: queries.stories(db, partition, epoch, before_offset, since_ms, limit))

    async def source_partitions(self) -> list[tuple[str, int]]:
        return await self._reader.do(queries.source_partitions)

    async def items_after(self, *, epoch: str, partition: int, after_offset: int, limit: int) -> list[Scored]:
        return await self._reader.do(lambda db: queries.items_after(db, epoch, partition, after_offset, limit))

    async def write_alerts(self, alerts: Sequence[StoredAlert]) -> None:
        rows = [astuple(alert) for alert in alerts]
        await self._writer.do(
            lambda db: db.executemany("INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        )

    async def alerts(
        self,
        *,
        series: str = "",
        state: str = "",
        since_ms: int | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 100,
    ) -> list[StoredAlert]:
        return await self._reader.do(lambda db: queries.alerts(db, series, state, since_ms, before, limit))

    async def alert_history(self, alert_id: str) -> list[StoredAlert]:
        return await self._reader.do(lambda db: queries.alert_history(db, alert_id))

    async def record_notifications(self, notifications: Sequence[StoredNotification]) -> None:
        rows = [astuple(notification) for notification in notifications]
        await self._writer.do(lambda db: db.executemany(_KEEP_LATEST, rows))

    async def notifications(
        self, *, alert_id: str = "", channel: str = "", state: str = "", limit: int = 100
    ) -> list[StoredNotification]:
        return await self._reader.do(lambda db: queries.notifications(db, alert_id, channel, state, limit))

    async def record_decisions(self, decisions: Sequence[StoredDecision]) -> None:
        rows = [astuple(decision) for decision in decisions]
        await self._writer.do(
            lambda db: db.executemany("INSERT OR IGNORE INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        )

    async def decisions(
        self,
        *,
        target: str = "",
        by: str = "",
        kind: str = "",
        since_ms: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[StoredDecision]:
        return await self._reader.do(lambda db: queries.decisions(db, target, by, kind, since_ms, before, limit))

    async def record_views(self, views: Sequence[StoredView]) -> None:
        rows = [astuple(view) for view in views]
        await self._writer.do(lambda db: db.executemany(_KEEP_LATEST_VIEW, rows))

    async def views(
        self, kind: str, *, view_id: str = "", ids: Sequence[str] | None = None, limit: int = 1_000
    ) -> list[StoredView]:
        return await self._reader.do(lambda db: queries.views(db, kind, view_id, ids, limit))

    async def record_hours(self, hours: Sequence[StoredHour]) -> None:
        await self._writer.do(lambda db: hour_rows.write_hours(db, hours))

    async def hours(self, series: Sequence[str] | None, signal: str, since_ms: int, until_ms: int) -> list[StoredHour]:
        return await self._reader.do(lambda db: hour_rows.hours(db, series, signal, since_ms, until_ms))

    async def first_hour(self, signal: str, since_ms: int) -> int | None:
        return await self._reader.do(lambda db: hour_rows.first_hour(db, signal, since_ms))

    async def hour_sums(
        self, kind: str, signal: str, since_ms: int, until_ms: int, limit: int = 100
    ) -> list[SeriesSum]:
        return await self._reader.do(lambda db: hour_rows.hour_sums(db, kind, signal, since_ms, until_ms, limit))

    async def refresh(self) -> None:
        """What is committed is seen at once."""

    async def prune(self, before_ms: int) -> int:
        """In steps of 1,000, so that writers never wait long."""
        total = 0
        while deleted := await self._writer.do(lambda db: _prune_step(db, before_ms)):
            total += deleted
        await self._writer.do(lambda db: hour_rows.prune_hours(db, before_ms))
        return total

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._reader.close)


def _prune_step(db: sqlite3.Connection, before_ms: int) -> int:
    """Delete some of the items seen before, with all their revisions; the number of versions deleted."""
    ids = [
        row[0]
        for row in db.execute(
            "SELECT id FROM versions WHERE is_item = 1 AND seen_ms < ? ORDER BY seen_ms LIMIT ?",
            (before_ms, _PRUNE_STEP),
        )
    ]
    versions = [
        row for item_id in ids for row in db.execute("SELECT number, body FROM versions WHERE id = ?", (item_id,))
    ]
    for number, body in versions:
        item = _decoder.decode(body)
        db.execute(
            "INSERT INTO words (words, rowid, title, text) VALUES ('delete', ?, ?, ?)",
            (number, spread(item.news.title), spread(item.news.text)),
        )
        remove_members(db, number, item)
    db.executemany("DELETE FROM sightings WHERE id = ?", [(item_id,) for item_id in ids])
    db.executemany("DELETE FROM versions WHERE id = ?", [(item_id,) for item_id in ids])
    return len(versions)
