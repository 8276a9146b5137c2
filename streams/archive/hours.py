"""Hours of series in the embedded archive: what `watch` counted of each, in order of time.

A row is keyed by signal, hour and series, so that what all series did in some hours lies together, as movers and the
heat map read it; an index by series finds one over weeks.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from streams.archive.protocol import SeriesSum, StoredHour

__all__ = ["first_hour", "hour_sums", "hours", "prune_hours", "write_hours"]

_ROW = "SELECT ?, s.name, h.start_ms, h.total, h.hits, h.expected, h.excess, h.low, h.high"
_IN_TIME = " WHERE h.signal = (SELECT number FROM signals WHERE name = ?) AND h.start_ms >= ? AND h.start_ms < ?"
_ORDER = " ORDER BY h.start_ms, s.name"
_EVERY = _ROW + " FROM hours h JOIN series s ON s.number = h.series" + _IN_TIME + _ORDER
_GIVEN = " AND s.name IN (SELECT value FROM json_each(?))"
# Without being told, it looks through the hours of every series once for each name.
_OF_SERIES = " FROM series s CROSS JOIN hours h INDEXED BY hours_by_series ON h.series = s.number"
_NAMED = _ROW + _OF_SERIES + _IN_TIME + _GIVEN + _ORDER


def write_hours(db: sqlite3.Connection, rows: Sequence[StoredHour]) -> None:
    """Writes the hours, over those that are there."""
    names, signals = {(row.series,) for row in rows}, sorted({row.signal for row in rows})
    db.executemany("INSERT OR IGNORE INTO series (name) VALUES (?)", sorted(names))
    db.executemany("INSERT OR IGNORE INTO signals SELECT count(*), ? FROM signals", [(name,) for name in signals])
    db.executemany(
        "INSERT OR REPLACE INTO hours SELECT g.number, ?, s.number, ?, ?, ?, ?, ?, ? FROM series s, signals g"
        " WHERE s.name = ? AND g.name = ?",
        [
            (row.start_ms, row.total, row.hits, row.expected, row.excess, row.low, row.high, row.series, row.signal)
            for row in rows
        ],
    )


def hours(
    db: sqlite3.Connection, series: Sequence[str] | None, signal: str, since_ms: int, until_ms: int
) -> list[StoredHour]:
    statement, parameters = _EVERY, [signal, signal, since_ms, until_ms]
    if series is not None:
        statement, parameters = _NAMED, [*parameters, json.dumps(list(series))]
    rows = db.execute(statement, parameters)
    return [StoredHour(*row) for row in rows]


def first_hour(db: sqlite3.Connection, signal: str, since_ms: int) -> int | None:
    rows = db.execute(
        "SELECT start_ms FROM hours WHERE signal = (SELECT number FROM signals WHERE name = ?) AND start_ms >= ?"
        " ORDER BY start_ms LIMIT 1",
        (signal, since_ms),
    )
    return next((int(start_ms) for (start_ms,) in rows), None)


def hour_sums(
    db: sqlite3.Connection, kind: str, signal: str, since_ms: int, until_ms: int, limit: int
) -> list[SeriesSum]:
    rows = db.execute(
        "SELECT s.name, h.total, h.hits, h.hours, h.judged, h.expected, h.excess FROM (SELECT series, sum(total) total,"
        " sum(hits) hits, count(expected) hours, coalesce(sum(hits) FILTER (WHERE expected IS NOT NULL), 0) judged,"
        " coalesce(sum(expected), 0.0) expected, coalesce(sum(excess), 0.0) excess FROM hours"
        " WHERE signal = (SELECT number FROM signals WHERE name = ?) AND start_ms >= ? AND start_ms < ?"
        " GROUP BY series) h"
        " JOIN series s ON s.number = h.series WHERE ? IN ('', s.name) OR (s.name >= ? AND s.name < ?)"
        " ORDER BY h.hits DESC, h.total DESC, s.name LIMIT ?",
        (signal, since_ms, until_ms, kind, f"{kind}/", f"{kind}0", limit),  # "0" follows "/"
    )
    return [SeriesSum(*row) for row in rows]


def prune_hours(db: sqlite3.Connection, before_ms: int) -> None:
    """Deletes the hours that started before."""
    numbers = db.execute("SELECT number FROM signals").fetchall()
    db.executemany("DELETE FROM hours WHERE signal = ? AND start_ms < ?", [(n, before_ms) for (n,) in numbers])
