"""The runbook's backup and restore, rehearsed: what comes out is what an undisturbed run leaves, to the item."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from streams.backup import ARCHIVE, BROKER, back_up
from streams.sample import write_sample
from streams.settings import Settings
from tests.integration.replays import Outcome, archived, command, environment, outcome, replay

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LINES = 3_000
"""The first alerts of the sample are in it."""
NAMESPACE = "start"


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("feed")
    write_sample(folder / "sample.ndjson")
    path = folder / "start.ndjson"
    with (folder / "sample.ndjson").open("rb") as whole:
        path.write_bytes(b"".join(islice(whole, LINES)))
    return path


@pytest.fixture(scope="module")
def undisturbed(feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("undisturbed")
    replay(folder, feed, NAMESPACE)
    return outcome(folder, NAMESPACE)


def moodwire(folder: Path, *words: str | Path, **given: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), env=environment(folder, **given), capture_output=True, text=True, check=False
    )


@contextmanager
def replaying(folder: Path, feed: Path, **given: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A replay in a process of its own, killed at the end of the block if it still runs."""
    process = subprocess.Popen(
        command("replay", feed, "--into", NAMESPACE, "--json"), env=environment(folder, **given),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


def until_archived(process: subprocess.Popen[bytes], folder: Path, items: int, **given: Any) -> None:
    settings = Settings(data_dir=folder, namespace=NAMESPACE, **given)
    while process.poll() is None and archived(settings) < items:
        time.sleep(0.02)  # another process: there is no event to wait for


def same(got: Outcome, want: Outcome) -> None:
    assert got.items == want.items
    assert got.rows == want.rows
    assert got.alerts == want.alerts
    assert got.rejects == want.rejects
    assert got.stats == want.stats


def test_a_copy_of_a_running_pipeline_goes_on_to_the_same_end(feed: Path, undisturbed: Outcome, tmp_path: Path) -> None:
    """Taken at two moments while it archives and counts; the file is played on from where each copy was."""
    copies, home = (
        [tmp_path / "first", tmp_path / "second"],
        Settings(data_dir=tmp_path / "lost", namespace=NAMESPACE).home,
    )
    with replaying(tmp_path / "lost", feed) as process:
        for share, copy in zip((0.1, 0.5), copies, strict=True):
            until_archived(process, tmp_path / "lost", int(share * LINES))
            back_up({name: home / name for name in (BROKER, ARCHIVE)}, copy)
            assert process.poll() is None, "the backups were to be taken while it runs"
    for number, copy in enumerate(copies):
        folder = tmp_path / f"restored{number}"
        done = moodwire(folder, "restore", copy, "-n", NAMESPACE)
        assert done.returncode == 0, done.stderr
        replay(folder, feed, NAMESPACE)
        same(outcome(folder, NAMESPACE), undisturbed)


def test_a_restore_refuses_what_it_would_overwrite_and_a_running_worker(feed: Path, tmp_path: Path) -> None:
    copy, lost = tmp_path / "copy", tmp_path / "lost"
    assert moodwire(lost, "backup", copy, "-n", NAMESPACE).returncode == 1  # there is nothing yet
    with replaying(lost, feed) as process:
        until_archived(process, lost, 50)
        assert moodwire(lost, "backup", copy, "-n", NAMESPACE).returncode == 0
        taken = moodwire(lost, "restore", copy, "-n", NAMESPACE)
        assert "already runs" in taken.stderr
    there = moodwire(lost, "restore", copy, "-n", NAMESPACE)
    again = moodwire(lost, "backup", copy, "-n", NAMESPACE)
    assert (there.returncode, again.returncode) == (1, 1)
    assert "move it away first" in there.stderr
    assert "a backup is never changed" in again.stderr


def test_a_damaged_backup_is_refused_whole(feed: Path, tmp_path: Path) -> None:
    with replaying(tmp_path / "lost", feed) as process:
        until_archived(process, tmp_path / "lost", 200)
        assert moodwire(tmp_path / "lost", "backup", tmp_path / "copy", "-n", NAMESPACE).returncode == 0
    file = tmp_path / "copy" / "archive.db"
    with file.open("r+b") as damaged:
        damaged.seek(file.stat().st_size // 2)
        damaged.write(b"\xaa" * (file.stat().st_size // 4))
    done = moodwire(tmp_path / "new", "restore", tmp_path / "copy", "-n", NAMESPACE)
    assert done.returncode == 1
    assert "damaged" in done.stderr
    assert not list((tmp_path / "new" / NAMESPACE).glob("*.db")), "all of it or nothing"


def test_a_lost_embedded_archive_is_made_again_from_the_topics(
    feed: Path, undisturbed: Outcome, tmp_path: Path
) -> None:
    replay(tmp_path, feed, NAMESPACE)
    for file in (tmp_path / NAMESPACE).glob("archive.db*"):
        file.rename(tmp_path / file.name)
    done = moodwire(tmp_path, "archive", "rebuild", "-n", NAMESPACE)
    assert done.returncode == 0, done.stderr
    got = outcome(tmp_path, NAMESPACE)
    assert (got.items, got.rows, got.alerts) == (undisturbed.items, undisturbed.rows, undisturbed.alerts)
    assert (got.stats.items, got.stats.revisions) == (undisturbed.stats.items, undisturbed.stats.revisions)
