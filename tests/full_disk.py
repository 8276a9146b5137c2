"""A full disk for an SQLite file, without one: no file of this process may grow beyond the size of its log."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["full_disk"]


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Until the end of the block no write to the database at `path` finds room; Python ignores the limit's signal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(f"{path.name}-wal").stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
