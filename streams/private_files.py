"""Files and folders that only their owner may read: news bought under licence, states and offsets are in them.

SQLite gives its -wal and -shm files the rights of the database, so a new one is made private before it is opened.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from streams.errors import SettingsError

__all__ = ["private_database", "private_folder", "private_home", "read_by_others", "tighten"]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_BESIDE = ("", "-wal", "-shm", "-journal")


def private_folder(path: Path) -> None:
    """Makes the folder, and those above it that are missing, for the owner alone; existing ones stay as they are.

    Raises OSError.
    """
    if path.is_dir():
        return
    private_folder(path.parent)
    with suppress(FileExistsError):  # another process was first
        path.mkdir(mode=0o700)
        path.chmod(0o700)  # whatever the umask says


def private_home(home: Path) -> None:
    """The namespace's folder, made like `private_folder`; raises SettingsError where it cannot be made or written."""
    try:
        private_folder(home)
        if not os.access(home, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise SettingsError(
            f"MOODWIRE_DATA_DIR: the folder {home} cannot be {'written' if home.is_dir() else 'made'}"
            f" ({error.strerror}): name a folder that this user may write"
        ) from error


def private_database(path: Path) -> None:
    """Makes the file for the owner alone if it is missing, with its folder. Raises OSError."""
    private_folder(path.parent)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def tighten(path: Path) -> None:
    """Takes others' rights from a database that is known to be ours, and from the files beside it.

    A file of another owner stays as it is.
    """
    for suffix in _BESIDE:
        _tighten(path.with_name(path.name + suffix))


def _tighten(path: Path) -> None:
    with suppress(FileNotFoundError, PermissionError):
        mode = stat.S_IMODE(path.stat().st_mode)
        wanted = mode & ~_OTHERS if mode & stat.S_IRUSR else 0o600
        if mode != wanted:
            path.chmod(wanted)


def read_by_others(path: Path) -> list[Path]:
    """The database's files that somebody else than the owner may read or write."""
    files = (path.with_name(path.name + suffix) for suffix in _BESIDE)
    return [file for file in files if file.exists() and stat.S_IMODE(file.stat().st_mode) & _OTHERS]
