"""The embedded archive's tables, and opening its file.

versions      one row a version (id, content); `is_item` marks the earliest of an id; `labels` are those of its heads,
              `revises` says that it revises one of another partition (`streams.archive.revising`)
words         full-text index over the words of title and text (`streams.archive.words`), by the version's row number
series        names of series      members   which item counts in which series, in order of time: `hits` has a bit
signals       names of signals               for each signal, by its number, and is null where the item is not scored
sightings     duplicates, by their position, so that a redo finds them
alerts        every state of an alert           notifications   what is to be sent and what was
hours         what `watch` counted of a series in an hour, and what it expected (`streams.archive.hours`)
decisions     what people decided, by its place in the log   views   what the judge knows now: silences, who looks after
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from streams.archive.protocol import ArchiveDamaged, ArchiveError
from streams.errors import MoodwireError, Retry
from streams.private_files import private_database, tighten

__all__ = ["MOST_SIGNALS", "connect", "explain", "lost", "stored_label"]

MOST_SIGNALS = 62
"""Bits of a number of SQLite, but for the sign and one that is never set."""

SCHEMA_VERSION = 7
_BUSY_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE versions (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, content TEXT NOT NULL, seen_ms INTEGER NOT NULL,
    epoch TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
    is_item INTEGER NOT NULL, language TEXT NOT NULL, labels TEXT NOT NULL, story TEXT NOT NULL, body BLOB NOT NULL,
    revises INTEGER NOT NULL, source TEXT NOT NULL);
CREATE INDEX versions_by_id ON versions (id);
CREATE INDEX versions_by_time ON versions (seen_ms, id, language, source, labels) WHERE is_item = 1;
CREATE INDEX versions_by_position ON versions (epoch, partition, offset);
CREATE INDEX versions_by_story ON versions (story) WHERE story <> id;
CREATE VIRTUAL TABLE words USING fts5 (title, text, content='', detail=none, tokenize="unicode61 remove_diacritics 2");
CREATE TABLE series (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE signals (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE members (
    series INTEGER NOT NULL, seen_ms INTEGER NOT NULL, number INTEGER NOT NULL, hits INTEGER, score REAL,
    PRIMARY KEY (series, seen_ms, number)) WITHOUT ROWID;
CREATE TABLE hours (
    signal INTEGER NOT NULL, start_ms INTEGER NOT NULL, series INTEGER NOT NULL, total INTEGER NOT NULL,
    hits INTEGER NOT NULL, expected REAL, excess REAL, low INTEGER, high INTEGER,
    PRIMARY KEY (signal, start_ms, series)) WITHOUT ROWID;
CREATE INDEX hours_by_series ON hours (series, signal, start_ms);
CREATE TABLE sightings (
    epoch TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, id TEXT NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (epoch, partition, offset)) WITHOUT ROWID;
CREATE INDEX sightings_by_content ON sightings (id, content);
CREATE TABLE alerts (
    id TEXT NOT NULL, revision INTEGER NOT NULL, signal TEXT NOT NULL, rule TEXT NOT NULL, series TEXT NOT NULL,
    state TEXT NOT NULL, severity TEXT NOT NULL, onset_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (id, revision)) WITHOUT ROWID;
CREATE INDEX alerts_by_onset ON alerts (onset_ms);
CREATE TABLE notifications (
    id TEXT PRIMARY KEY, alert_id TEXT NOT NULL, alert_revision INTEGER NOT NULL, channel TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL, since_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
    problem TEXT NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX notifications_by_change ON notifications (updated_ms);
CREATE TABLE decisions (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, author TEXT NOT NULL, target TEXT NOT NULL,
    at_ms INTEGER NOT NULL, decided_ms INTEGER NOT NULL, outcome TEXT NOT NULL, version INTEGER NOT NULL,
    detail TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX decisions_by_target ON decisions (target);
CREATE TABLE views (
    kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, place INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, id)) WITHOUT ROWID;
"""


def stored_label(head: str, label: str) -> str:
    """A head's label as it stands in `versions.labels`, one a line."""
    return f"\n{head}={label}\n"


_WAY_OUT = (
    "stop moodwire and restore it from a backup (`moodwire backup`), or move it away together with its -wal and -shm "
    "files and run `moodwire archive rebuild`"
)

_PASSING = ("locked", "busy", "full", "readonly", "disk i/o")
"""Words in SQLite's messages about what may be over when the run is tried again."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection to the archive at `path`, which is made if need be. Raises `ArchiveError` or `Retry`."""
    try:
        private_database(path)
    except OSError as error:
        raise ArchiveError(f"archive {path} cannot be made: {error}; is its folder writable?") from error
    try:
        connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            _prepare(connection, path, read_only=read_only)
            tighten(path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise explain(error, path) from error
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power loss
    connection.execute("PRAGMA wal_autocheckpoint = 8000")  # 32 MB: pages written often go to the file once
    # KiB; full within the first 20,000 items, so that memory stays flat afterwards
    connection.execute(f"PRAGMA cache_size = {-4_096 if read_only else -16_384}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        for statement in _SCHEMA.split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
    if version > SCHEMA_VERSION:
        raise ArchiveError(
            f"archive {path} has version {version}, this moodwire knows {SCHEMA_VERSION}: take a newer one"
        )
    if 0 < version < SCHEMA_VERSION:
        raise ArchiveError(
            f"archive {path} has version {version}, and this moodwire reads version {SCHEMA_VERSION} alone: stop"
            " moodwire, move the file away together with its -wal and -shm files, and run `moodwire archive rebuild`,"
            " which fills a new one from the topics as far back as they reach"
        )
    if read_only:
        connection.execute("PRAGMA query_only = ON")


def explain(error: sqlite3.Error, path: Path) -> MoodwireError:
    """The error as an operator needs it: `Retry` for what may pass, `ArchiveError` for what will not."""
    text = str(error)
    if (getattr(error, "sqlite_errorname", "") or "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return ArchiveDamaged(f"archive {path} is damaged, or is no archive ({text}): {_WAY_OUT}")
    if isinstance(error, sqlite3.OperationalError) and any(word in text.lower() for word in _PASSING):
        return Retry(f"archive {path} cannot be used now: {text}", 2.0)
    return ArchiveError(f"archive {path}: {text}; is it an archive of moodwire, and is its folder writable?")


def lost(path: Path, what: str) -> ArchiveDamaged:
    """The error for an archive's file that is not the one that was opened; `what` became of it."""
    return ArchiveDamaged(f"archive {path} {what} while moodwire used it: {_WAY_OUT}")
