"""Reading from the embedded archive: functions of a connection, for the reading thread."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from streams.archive.protocol import (
    ArchiveStats,
    Count,
    Outcome,
    RateBucket,
    RecentStory,
    StoredAlert,
    StoredDecision,
    StoredNotification,
    StoredView,
    StoryMember,
)
from streams.archive.revising import stored_outcome
from streams.archive.schema import MOST_SIGNALS
from streams.archive.writer import known_versions
from streams.records import Scored

__all__ = [
    "alert_history",
    "alerts",
    "decisions",
    "is_new",
    "items_after",
    "items_by_id",
    "newest_of",
    "notifications",
    "outcomes",
    "rates",
    "revisions",
    "source_partitions",
    "stats",
    "stories",
    "story",
    "story_members",
    "top",
    "unscored",
    "views",
]

_decoder = msgspec.msgpack.Decoder(Scored)
_MOST_MEMBERS = 10_000
_ALERT = "id, revision, signal, rule, series, state, severity, onset_ms, updated_ms, body"


def stats(db: sqlite3.Connection) -> ArchiveStats:
    items, versions, duplicates = db.execute(
        "SELECT (SELECT count(*) FROM versions INDEXED BY versions_by_time WHERE is_item = 1),"
        " (SELECT count(*) FROM versions), (SELECT count(*) FROM sightings)"
    ).fetchone()
    return ArchiveStats(items, versions - items, duplicates)


def is_new(db: sqlite3.Connection) -> bool:
    """Whether nothing was ever written: pruning leaves the names of series."""
    (found,) = db.execute(
        "SELECT EXISTS (SELECT 1 FROM versions) OR EXISTS (SELECT 1 FROM series) OR EXISTS (SELECT 1 FROM alerts)"
    ).fetchone()
    return not found


def unscored(db: sqlite3.Connection) -> dict[str, int]:
    """A look at every item: for reports."""
    sql = "SELECT language, count(*) FROM versions WHERE is_item = 1 AND labels = '' GROUP BY language"
    return dict(db.execute(sql).fetchall())


def items_by_id(db: sqlite3.Connection, ids: Sequence[str]) -> list[Scored]:
    return _items(
        db,
        "SELECT body FROM versions WHERE id IN (SELECT value FROM json_each(?)) AND is_item = 1",
        (json.dumps(list(ids)),),
    )


def outcomes(db: sqlite3.Connection, items: Sequence[Scored]) -> list[Outcome]:
    known = known_versions(db, [item.news.id for item in items])
    of_ids = [known.get(item.news.id, {}) for item in items]
    pairs = zip(items, of_ids, strict=True)
    return [stored_outcome(of_id.get(item.news.content), of_id.values()) for item, of_id in pairs]


def revisions(db: sqlite3.Connection, item_id: str) -> list[Scored]:
    return _items(db, "SELECT body FROM versions WHERE id = ? ORDER BY seen_ms, content", (item_id,))


def story(db: sqlite3.Connection, story_id: str) -> list[Scored]:
    return _items(
        db,
        "SELECT body FROM versions WHERE is_item = 1 AND (id = ? AND story = id OR story = ? AND story <> id)"
        " ORDER BY seen_ms, id",
        (story_id, story_id),
    )


def story_members(db: sqlite3.Connection, story_ids: Sequence[str]) -> dict[str, list[StoryMember]]:
    given = json.dumps(list(story_ids))
    rows = db.execute(
        "SELECT story, id, source, seen_ms FROM versions WHERE is_item = 1 AND story <> id"
        " AND story IN (SELECT value FROM json_each(?)) UNION ALL"
        " SELECT story, id, source, seen_ms FROM versions WHERE is_item = 1 AND story = id"
        " AND id IN (SELECT value FROM json_each(?)) ORDER BY seen_ms DESC, id DESC LIMIT ?",
        (given, given, _MOST_MEMBERS),
    )
    found: dict[str, list[StoryMember]] = {}
    for story_id, *member in rows:
        found.setdefault(story_id, []).append(StoryMember(*member))
    return found


def newest_of(db: sqlite3.Connection, series: Sequence[str], since_ms: int, until_ms: int) -> dict[str, Scored]:
    statement = (
        "SELECT v.body FROM members m CROSS JOIN versions v ON v.number = m.number"
        " WHERE m.series = (SELECT number FROM series WHERE name = ?) AND m.seen_ms >= ? AND m.seen_ms < ?"
        " ORDER BY m.seen_ms DESC, v.id DESC LIMIT 1"
    )
    found = {name: _items(db, statement, (name, since_ms, until_ms)) for name in series}
    return {name: items[0] for name, items in found.items() if items}


def _items(db: sqlite3.Connection, statement: str, parameters: Sequence[Any]) -> list[Scored]:
    return [_decoder.decode(body) for (body,) in db.execute(statement, parameters)]


def rates(
    db: sqlite3.Connection, series: str, signal: str, since_ms: int, until_ms: int, bucket_ms: int
) -> list[RateBucket]:
    rows = db.execute(
        "SELECT seen_ms / ? * ?, count(*), sum(hits >> ? & 1), avg(score) FROM members"
        " WHERE series = (SELECT number FROM series WHERE name = ?) AND seen_ms >= ? AND seen_ms < ?"
        " AND hits IS NOT NULL GROUP BY 1 ORDER BY 1",
        (bucket_ms, bucket_ms, _bit(db, signal), series, since_ms, until_ms),
    )
    return [RateBucket(*row) for row in rows]


def top(db: sqlite3.Connection, kind: str, signal: str, since_ms: int, until_ms: int, limit: int) -> list[Count]:
    rows = db.execute(
        "SELECT substr(s.name, ?), count(*), sum(m.hits >> ? & 1) FROM series s JOIN members m ON m.series = s.number"
        " WHERE s.name >= ? AND s.name < ? AND m.seen_ms >= ? AND m.seen_ms < ? AND m.hits IS NOT NULL"
        " GROUP BY s.number ORDER BY 3 DESC, 2 DESC, 1 LIMIT ?",
        (len(kind) + 2, _bit(db, signal), f"{kind}/", f"{kind}0", since_ms, until_ms, limit),  # "0" follows "/"
    )
    return [Count(*row) for row in rows]


def _bit(db: sqlite3.Connection, signal: str) -> int:
    """The place of the signal's bit in `members.hits`; one that is never set for a signal that nothing has hit."""
    row = db.execute("SELECT number FROM signals WHERE name = ?", (signal,)).fetchone()
    return int(row[0]) if row else MOST_SIGNALS


def stories(
    db: sqlite3.Connection, partition: int, epoch: str, before_offset: int, since_ms: int, limit: int
) -> list[RecentStory]:
    rows = db.execute(
        "SELECT body FROM versions WHERE epoch = ? AND partition = ? AND offset < ? AND seen_ms >= ?"
        " ORDER BY offset DESC LIMIT ?",
        (epoch, partition, before_offset, since_ms, limit),
    )
    items = [_decoder.decode(body) for (body,) in rows]
    return [
        RecentStory(item.news.id, item.news.title, item.news.seen_ms, item.story.id, item.story.duplicate_of)
        for item in reversed(items)
    ]


def source_partitions(db: sqlite3.Connection) -> list[tuple[str, int]]:
    return [(epoch, partition) for epoch, partition in db.execute("SELECT DISTINCT epoch, partition FROM versions")]


def items_after(db: sqlite3.Connection, epoch: str, partition: int, after_offset: int, limit: int) -> list[Scored]:
    return _items(
        db,
        "SELECT body FROM versions WHERE epoch = ? AND partition = ? AND offset > ? ORDER BY offset LIMIT ?",
        (epoch, partition, after_offset, limit),
    )


def alerts(
    db: sqlite3.Connection,
    series: str,
    state: str,
    since_ms: int | None,
    before: tuple[int, str] | None,
    limit: int,
) -> list[StoredAlert]:
    onset_ms, last = before or (None, "")
    rows = db.execute(
        f"SELECT {_ALERT} FROM alerts a WHERE revision = (SELECT max(revision) FROM alerts b WHERE b.id = a.id)"  # noqa: S608
        " AND (:series = '' OR series = :series) AND (:state = '' OR state = :state) AND onset_ms >= :since_ms"
        " AND (:onset_ms IS NULL OR onset_ms < :onset_ms OR onset_ms = :onset_ms AND id > :id)"
        " ORDER BY onset_ms DESC, id LIMIT :limit",
        {"series": series, "state": state, "since_ms": since_ms or 0, "limit": limit, "onset_ms": onset_ms, "id": last},
    )
    return [StoredAlert(*row) for row in rows]


def alert_history(db: sqlite3.Connection, alert_id: str) -> list[StoredAlert]:
    rows = db.execute(f"SELECT {_ALERT} FROM alerts WHERE id = ? ORDER BY revision", (alert_id,))  # noqa: S608
    return [StoredAlert(*row) for row in rows]


def notifications(
    db: sqlite3.Connection, alert_id: str, channel: str, state: str, limit: int
) -> list[StoredNotification]:
    rows = db.execute(
        "SELECT * FROM notifications"
        " WHERE :alert_id IN ('', alert_id) AND :channel IN ('', channel) AND :state IN ('', state)"
        " ORDER BY updated_ms DESC, id LIMIT :limit",
        {"alert_id": alert_id, "channel": channel, "state": state, "limit": limit},
    )
    return [StoredNotification(*row) for row in rows]


def decisions(
    db: sqlite3.Connection, target: str, by: str, kind: str, since_ms: int | None, before: int | None, limit: int
) -> list[StoredDecision]:
    rows = db.execute(
        "SELECT * FROM decisions"
        " WHERE :target IN ('', target) AND :by IN ('', author) AND :kind IN ('', kind)"
        " AND (:since_ms IS NULL OR at_ms >= :since_ms) AND (:before IS NULL OR place < :before)"
        " ORDER BY place DESC LIMIT :limit",
        {"target": target, "by": by, "kind": kind, "since_ms": since_ms, "before": before, "limit": limit},
    )
    return [StoredDecision(*row) for row in rows]


def views(db: sqlite3.Connection, kind: str, view_id: str, ids: Sequence[str] | None, limit: int) -> list[StoredView]:
    given = None if ids is None else json.dumps(list(ids))
    rows = db.execute(
        "SELECT * FROM views WHERE kind = ? AND ? IN ('', id) AND body <> x''"
        " AND (? IS NULL OR id IN (SELECT value FROM json_each(?))) ORDER BY id LIMIT ?",
        (kind, view_id, given, given, limit),
    )
    return [StoredView(*row) for row in rows]
