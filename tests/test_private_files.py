"""Databases and their folders are readable by their owner only, whatever the umask and whatever was there before."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.archive.sqlite import SqliteArchive
from streams.cli.doctor_files import FILE_CHECKS
from streams.engine.ports import Send
from streams.private_files import private_folder, read_by_others
from streams.settings import Settings
from streams.transport.sqlite.lock import GroupLock
from streams.transport.sqlite.store import Store


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes_of_databases(folder: Path) -> set[int]:
    return {mode(path) for path in folder.glob("*.db*")}


async def test_new_databases(tmp_path: Path, umask: int) -> None:
    home = tmp_path / "data" / "live"
    archive = SqliteArchive(home / "archive.db")
    with Store.open(home / "broker.db") as store:
        store.create_topic("t", 1)
        store.append([Send("t", None, b"x")])
        lock = GroupLock(home / "broker.db", "g")
        files = sorted(path.name for path in home.glob("*.db*"))
        assert files == [f"{name}.db{end}" for name in ("archive", "broker") for end in ("", "-shm", "-wal")]
        assert {mode(home / name) for name in files} == {0o600}
        assert {mode(folder) for folder in (home, home.parent, home / "locks")} == {0o700}
        lock.release()
    await archive.close()


async def test_existing_databases_are_made_private(tmp_path: Path) -> None:
    await SqliteArchive(tmp_path / "archive.db").close()
    Store.open(tmp_path / "broker.db").close()
    for name in ("archive.db", "broker.db"):
        (tmp_path / name).chmod(0o664)
    assert [path.name for path in read_by_others(tmp_path / "broker.db")] == ["broker.db"]
    archive = SqliteArchive(tmp_path / "archive.db")
    with Store.open(tmp_path / "broker.db"):
        assert modes_of_databases(tmp_path) == {0o600}
    await archive.close()
    assert read_by_others(tmp_path / "broker.db") == []


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private_folder(tmp_path / "a" / "b")
    assert [mode(tmp_path / path) for path in (".", "a", "a/b")] == [0o755, 0o700, 0o700]


def test_doctor_names_databases_that_others_may_read(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, namespace="live")
    settings.home.mkdir()
    (settings.home / "archive.db").touch(0o644)
    (data_folder,) = (check for check in FILE_CHECKS if check.name == "data folder")
    assert f"others may read {settings.home / 'archive.db'}: chmod 600" in data_folder.ask(settings)
    (settings.home / "archive.db").chmod(0o600)
    assert "others may read" not in data_folder.ask(settings)
