"""Backup and restore of what is embedded: broker.db and archive.db of a namespace, copied as of one moment.

    lock the broker's file ─► open a snapshot of both files ─► unlock ─► copy both snapshots ─► check ─► rename

The moment matters: a broker that has committed what the archive's copy lacks has lost it, and an archive that holds
what the broker's copy never had would take it for a duplicate later. While the broker's file is locked, for
milliseconds, nothing is published, sent or committed; what `score` archives meanwhile it does again after a restore.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from streams.archive.schema import connect as connect_archive
from streams.errors import BackupFailed
from streams.private_files import private_database, private_folder
from streams.transport.sqlite.store import Store

__all__ = ["ARCHIVE", "BROKER", "back_up", "check_backup", "restore"]

BROKER = "broker.db"
ARCHIVE = "archive.db"

_BUSY_SECONDS = 60.0
_NEWS = ".news"


def back_up(files: Mapping[str, Path], folder: Path) -> list[Path]:
    """Copies `files` (`BROKER`, `ARCHIVE`: where each is) into `folder` as of one moment; workers may run.

    Returns the copies, readable by their owner only. Raises `BackupFailed`: a file is missing or damaged, `folder`
    holds a backup already or cannot be made, the disk is full. `folder` is made once there is something to copy.
    """
    for name, path in files.items():
        _must(path.is_file(), f"there is nothing to back up: {path} does not exist")
        _must(not (folder / name).exists(), f"{folder / name} exists: name another folder, a backup is never changed")
    with _failures(folder), ExitStack() as opened:
        private_folder(folder)
        snapshots = {name: opened.enter_context(closing(_reader(path))) for name, path in files.items()}
        with _locked(files.get(BROKER)):
            for snapshot in snapshots.values():
                snapshot.execute("BEGIN")
                snapshot.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here it sees no later commit
        with _partials_removed(folder / name for name in files):
            return _named([_copied(snapshot, folder / name, _check_whole) for name, snapshot in snapshots.items()])


def restore(folder: Path, files: Mapping[str, Path], topics: str) -> list[Path]:
    """Copies a backup in `folder` to where `files` say; returns these places. No worker may run.

    Raises `BackupFailed`: the backup lacks a file, one is damaged or none of moodwire's, a place is taken, or the
    broker's topics are another namespace's; this one's begin with `topics`.
    """
    check_backup(folder, files)
    for path in files.values():
        _must(not path.exists(), f"{path} exists: move it away first, together with its -wal and -shm files")
    with _failures(folder), _partials_removed(files.values()):
        partials = [_restored(folder / name, path, name) for name, path in files.items()]
        if BROKER in files:
            _check_topics(partials[list(files).index(BROKER)], folder, topics)
        return _named(partials)


def check_backup(folder: Path, names: Iterable[str]) -> None:
    """Raises `BackupFailed` when the backup in `folder` lacks one of these files; makes nothing."""
    for name in names:
        _must((folder / name).is_file(), f"{folder} is no backup of these settings: it holds no {name}")


def _restored(copy: Path, place: Path, name: str) -> Path:
    with closing(_reader(copy, "mode=ro&immutable=1")) as source:
        return _copied(source, place, _OPENED[name])


def _must(condition: bool, otherwise: str) -> None:
    if not condition:
        raise BackupFailed(otherwise)


@contextmanager
def _failures(folder: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        is_damaged = type(error) is sqlite3.DatabaseError  # what is derived from it has other causes
        why = f"a file is damaged ({error})" if is_damaged else str(error)
        raise BackupFailed(f"backup in {folder}: {why}") from error


def _reader(path: Path, how: str = "mode=rw") -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, isolation_level=None, timeout=_BUSY_SECONDS)


@contextmanager
def _locked(broker: Path | None) -> Iterator[None]:
    """Nobody writes to the broker's file meanwhile; without one there is nothing to hold back."""
    if broker is None:
        yield
        return
    with closing(_reader(broker)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        yield
        lock.execute("ROLLBACK")


@contextmanager
def _partials_removed(places: Iterable[Path]) -> Iterator[None]:
    """After a failure no half of a copy stays behind."""
    partials = [_partial(place) for place in places]
    try:
        yield
    except BaseException:
        for partial in partials:
            for beside in ("", "-wal", "-shm", "-journal"):
                partial.with_name(partial.name + beside).unlink(missing_ok=True)
        raise


def _partial(place: Path) -> Path:
    return place.with_name(f"{place.name}.partial")


def _copied(source: sqlite3.Connection, place: Path, check: Callable[[Path], None]) -> Path:
    """The copy of `source` beside `place`, whole, checked and on the disk."""
    partial = _partial(place)
    partial.unlink(missing_ok=True)
    private_database(partial)
    with closing(_reader(partial)) as target:
        target.execute("PRAGMA synchronous = FULL")
        source.backup(target)
    check(partial)
    return partial


def _named(partials: list[Path]) -> list[Path]:
    """All of it or nothing: the copies get their names once all are there."""
    places = [partial.rename(partial.with_suffix("")) for partial in partials]
    for folder in {place.parent for place in places}:
        _flush(folder)
    return places


def _check_whole(path: Path) -> None:
    with closing(_reader(path, "mode=ro&immutable=1")) as copy:
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    _must(found == "ok", f"the copy {path} is damaged, and so is its source: {found}")


def _open_broker(path: Path) -> None:
    _check_whole(path)
    Store.open(path).close()


def _check_topics(broker: Path, folder: Path, topics: str) -> None:
    with Store.open(broker) as store:
        found = sorted(store.topics())
    others = ", ".join(sorted({name.removesuffix(_NEWS) for name in found if name.endswith(_NEWS)})) or "no namespace"
    _must(
        not found or any(name.startswith(topics) for name in found),
        f"{folder} is the backup of {others}, and these settings are those of {topics.removesuffix('.')} "
        "(MOODWIRE_PREFIX and namespace): name the namespace that was backed up with -n",
    )


def _open_archive(path: Path) -> None:
    _check_whole(path)
    connect_archive(path).close()


_OPENED: Mapping[str, Callable[[Path], None]] = {BROKER: _open_broker, ARCHIVE: _open_archive}


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
