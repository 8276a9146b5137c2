"""The file that a database was opened from, compared with what its path names now.

A process goes on to write to a file that was deleted or replaced, without any error, and what it writes is lost.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["KeptFile"]


class KeptFile:
    """The file at `path` at the time this is made: to be made just before the database is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened = _identity(path)

    def loss(self) -> str | None:
        """What became of the file: None while the path still names it. Costs some microseconds."""
        now = _identity(self.path)
        if now is not None and now == self._opened:
            return None
        return "was removed" if now is None else "was replaced by another file"


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
