"""The broker's file: its tables, how it is opened, and what its errors mean to an operator."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.errors import BrokerDamaged, TransportError
from streams.group_commit import transaction

__all__ = ["OFFSET_BITS", "OFFSET_MASK", "connect", "explained", "is_damage", "lost", "prepare"]

#: A record's row id is its partition's id and its offset in one integer: rows of a partition lie together in
#: the order of their offsets, and the table needs no second index. 2^40 offsets, 2^23 partitions.
OFFSET_BITS = 40
OFFSET_MASK = (1 << OFFSET_BITS) - 1

_APPLICATION_ID = 0x6D776C67  # "mwlg"
_VERSION = 1
_BUSY_TIMEOUT_SECONDS = 30.0
_PAGE_BYTES = 8192  # twenty records of 360 bytes to a page
_CHECKPOINT_PAGES = 2000  # 16 MB of write-ahead log before it is folded into the file
_KEEP_WAL_BYTES = 64 << 20

_SETTINGS = (
    "synchronous = FULL",  # a commit is on disk, also in a power cut
    "foreign_keys = ON",
    "cache_size = -8192",  # KiB
    f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
    f"journal_size_limit = {_KEEP_WAL_BYTES}",
)

_WAY_OUT = (
    "stop moodwire and restore it from a backup together with archive.db (`moodwire restore`), or move it away with "
    "its -wal and -shm files, keep archive.db, run `moodwire archive rebuild-state` before anything else, then start "
    "moodwire and publish the news again."
)

_TABLES = """
CREATE TABLE topic (
    topic_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    partitions INTEGER NOT NULL,
    compacted INTEGER NOT NULL,
    retention_ms INTEGER
);
CREATE TABLE part (
    tp_id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic_id INTEGER NOT NULL REFERENCES topic (topic_id) ON DELETE CASCADE,
    partition INTEGER NOT NULL,
    first_offset INTEGER NOT NULL DEFAULT 0,
    next_offset INTEGER NOT NULL DEFAULT 0,
    clean_offset INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic_id, partition)
);
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    timestamp_ms INTEGER NOT NULL,
    key BLOB,
    value BLOB,
    headers BLOB
);
CREATE TABLE age (tp_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, next_offset INTEGER NOT NULL,
    PRIMARY KEY (tp_id, at_ms)) WITHOUT ROWID;
CREATE TABLE committed (grp TEXT NOT NULL, tp_id INTEGER NOT NULL, next_offset INTEGER NOT NULL,
    PRIMARY KEY (grp, tp_id)) WITHOUT ROWID;
CREATE TABLE progress (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE layout (version INTEGER NOT NULL);
INSERT INTO layout VALUES (0);
"""


def connect(path: Path, *, busy_seconds: float = _BUSY_TIMEOUT_SECONDS) -> sqlite3.Connection:
    """Opens a connection that commits durably; any thread may use it, one at a time.

    `busy_seconds` is how long it waits for a lock of another program.
    """
    connection = sqlite3.connect(
        path,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=64,
    )
    try:
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Creates the tables in a new file; checks that an old one is ours and of a version that we know.

    Raises TransportError for a file that is something else or was written by a newer moodwire.
    """
    if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection):
        application, version = _identity(connection)
        if application == 0 and not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            return
    if application != _APPLICATION_ID:
        raise TransportError(
            f"{path} is an SQLite file, but not a moodwire broker: move it away, or name another data directory."
        )
    if version > _VERSION:
        raise TransportError(
            f"{path} was written by a newer moodwire (file version {version}, this one reads up to "
            f"{_VERSION}): upgrade moodwire, or name another data directory."
        )


def _identity(connection: sqlite3.Connection) -> tuple[int, int]:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    return application, version


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into TransportErrors that name the file and the fix."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    except OSError as error:
        raise TransportError(f"Cannot make the broker's file {path}: {error}.") from error


def _explained(path: Path, error: sqlite3.Error) -> TransportError:
    if is_damage(error):
        what = "is not a broker's file, or its head is damaged" if "NOTADB" in error.sqlite_errorname else "is damaged"
        return BrokerDamaged(f"{path} {what} ({error}): {_WAY_OUT}")
    return TransportError(_explain(path, error))


def lost(path: Path, what: str) -> BrokerDamaged:
    """The error for a broker's file that is not the one that was opened; `what` became of it."""
    return BrokerDamaged(f"{path} {what} while moodwire used it, nothing is read or written any more: {_WAY_OUT}")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file's content is broken."""
    name = getattr(error, "sqlite_errorname", "") or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _explain(path: Path, error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_FULL") or name == "SQLITE_IOERR_WRITE":
        return f"No space left for the broker's file {path}: free some on its disk, and start again what has ended."
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return (
            f"Another program has kept the broker's file {path} locked for {_BUSY_TIMEOUT_SECONDS:.0f} s: "
            "end it, and start again what has ended."
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
        return f"Cannot open the broker's file {path} for writing ({error}): check the folder and its permissions."
    return f"The broker's file {path} failed: {error}."
