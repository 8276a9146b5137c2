"""Copies that fail leave nothing, and a backup goes back to the namespace that it came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.archive.schema import connect as connect_archive
from streams.errors import BackupFailed
from streams.jobs.backup import ARCHIVE, BROKER, back_up, restore
from streams.transport.sqlite.store import Store


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    home = tmp_path / "r1"
    with Store.open(home / BROKER) as store:
        store.create_topic("x.r1.news", 1)
        store.create_topic("x.r1.watch-series-changelog", 1, compacted=True)
    connect_archive(home / ARCHIVE).close()
    return {name: home / name for name in (BROKER, ARCHIVE)}


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xaa" * (path.stat().st_size - 8192))


def test_a_backup_of_another_namespace_is_refused_whole(files: dict[str, Path], tmp_path: Path) -> None:
    """Its records lay there unread, and its items were taken for duplicates."""
    back_up(files, tmp_path / "copy")
    places = {name: tmp_path / "other" / name for name in files}
    with pytest.raises(BackupFailed, match=r"is the backup of x\.r1, and these settings are those of x\.other .*-n"):
        restore(tmp_path / "copy", places, "x.other.")
    assert list((tmp_path / "other").iterdir()) == []
    restore(tmp_path / "copy", places, "x.r1.")
    assert all(place.is_file() for place in places.values())


def test_a_restore_that_fails_leaves_no_half_copies(files: dict[str, Path], tmp_path: Path) -> None:
    back_up(files, tmp_path / "copy")
    overwrite(tmp_path / "copy" / ARCHIVE)
    with pytest.raises(BackupFailed, match="damaged"):
        restore(tmp_path / "copy", {name: tmp_path / "new" / name for name in files}, "x.r1.")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_backup_that_fails_leaves_no_half_copies(files: dict[str, Path], tmp_path: Path) -> None:
    overwrite(files[ARCHIVE])
    with pytest.raises(BackupFailed, match="damaged"):
        back_up(files, tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []


def test_an_empty_broker_has_no_namespace(tmp_path: Path) -> None:
    Store.open(tmp_path / BROKER).close()
    back_up({BROKER: tmp_path / BROKER}, tmp_path / "copy")
    [place] = restore(tmp_path / "copy", {BROKER: tmp_path / "new" / BROKER}, "x.r1.")
    assert place.is_file()
