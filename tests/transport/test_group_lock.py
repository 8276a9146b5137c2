"""The lock of a stage where its files cannot be written: an error in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import SettingsError
from streams.transport.sqlite.lock import GroupLock


@pytest.mark.parametrize("in_the_way", ["g.lock", "g.pid"])
def test_a_lock_that_cannot_be_written_is_one_clear_error(tmp_path: Path, in_the_way: str) -> None:
    """A folder in its place fails like a disk that is read-only: in the same calls, with another number."""
    blocked = tmp_path / "locks" / in_the_way
    blocked.mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"lock of stage g in .*locks cannot be taken .*MOODWIRE_DATA_DIR"):
        GroupLock(tmp_path / "broker.db", "g").acquire()
    blocked.rmdir()
    lock = GroupLock(tmp_path / "broker.db", "g")
    lock.acquire()  # what failed holds nothing
    lock.release()


def test_a_folder_of_locks_that_cannot_be_made_is_too(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("no folder")
    with pytest.raises(SettingsError, match="cannot be taken"):
        GroupLock(tmp_path / "broker.db", "g").acquire()
