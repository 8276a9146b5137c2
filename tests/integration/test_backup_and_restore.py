"""The runbook's backup and restore, rehearsed: what comes out is what an undisturbed run leaves, to the item."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.jobs.backup import ARCHIVE, BROKER, back_up
from streams.settings import Settings
from tests.integration.elastic_server import ElasticServer
from tests.integration.replays import START_LINES, Outcome, archived, command, environment, moodwire, outcome, replay

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAMESPACE = "start"


@pytest.fixture(scope="module")
def undisturbed(feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("undisturbed")
    replay(folder, feed, NAMESPACE)
    return outcome(folder, NAMESPACE)


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
            until_archived(process, tmp_path / "lost", int(share * START_LINES))
            back_up({name: home / name for name in (BROKER, ARCHIVE)}, copy)
            assert process.poll() is None, "the backups were to be taken while it runs"
    for number, copy in enumerate(copies):
        folder = tmp_path / f"restored{number}"
        done = moodwire(folder, "restore", copy, "-n", NAMESPACE)
        assert done.returncode == 0, done.stderr
        assert "//" not in done.stdout
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


@pytest.fixture
def servers(kafka_url: str, elastic_url: str, elastic_prefix: str) -> dict[str, Any]:
    return {
        "broker_url": kafka_url,
        "prefix": f"{uuid.uuid4().hex[:8]}.",
        "partitions": 2,
        "mentions_partitions": 2,
        "kafka_session_seconds": 6,
        "archive_url": elastic_url,
        "archive_prefix": elastic_prefix,
        "archive_replicas": 0,
    }


def ask(method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        url, method=method, data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=120) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def same_after_a_refresh(folder: Path, servers: dict[str, Any], want: Outcome) -> None:
    """Duplicates are on no topic; a search sees what was written once the server has made segments."""
    ask("POST", f"{servers['archive_url']}/{servers['archive_prefix']}*/_refresh?expand_wildcards=all")
    got = outcome(folder, NAMESPACE, **servers)
    assert (got.stats.items, got.stats.revisions) == (want.stats.items, want.stats.revisions)
    assert got.items == want.items
    assert got.alerts == want.alerts
    assert got.rows == want.rows


def test_a_snapshot_of_elasticsearch_and_the_topics_of_kafka_give_all_back(
    feed: Path, undisturbed: Outcome, servers: dict[str, Any], elastic_server: ElasticServer, tmp_path: Path
) -> None:
    """The indices are lost after the end; the snapshot is of the middle, and the topics hold what came after it."""
    url, indices = elastic_server.url, f"{servers['archive_prefix']}*"
    repository = f"{url}/_snapshot/{uuid.uuid4().hex[:8]}"
    ask("PUT", repository, {"type": "fs", "settings": {"location": uuid.uuid4().hex[:8]}})
    with replaying(tmp_path, feed, **servers) as process:
        until_archived(process, tmp_path, START_LINES // 3, **servers)
    taken = ask("PUT", f"{repository}/daily?wait_for_completion=true", {"indices": indices})
    assert taken["snapshot"]["state"] == "SUCCESS"
    replay(tmp_path, feed, NAMESPACE, **servers)
    want = outcome(tmp_path, NAMESPACE, **servers)
    assert (want.items, want.stats) == (undisturbed.items, undisturbed.stats)

    ask("DELETE", f"{url}/{indices}?expand_wildcards=all")
    ask("POST", f"{repository}/daily/_restore?wait_for_completion=true", {"indices": indices})
    setup = moodwire(tmp_path, "archive", "setup", "-n", NAMESPACE, **servers)
    assert setup.returncode == 0, setup.stderr
    rebuilt = moodwire(tmp_path, "archive", "rebuild", "-n", NAMESPACE, **servers)
    assert rebuilt.returncode == 0, rebuilt.stderr
    same_after_a_refresh(tmp_path, servers, want)
    ask("DELETE", f"{repository}/daily")
    ask("DELETE", repository)


def test_a_lost_elasticsearch_is_made_again_from_kafka_alone(
    feed: Path, servers: dict[str, Any], tmp_path: Path
) -> None:
    replay(tmp_path, feed, NAMESPACE, **servers)
    want = outcome(tmp_path, NAMESPACE, **servers)
    assert want.alerts
    ask("DELETE", f"{servers['archive_url']}/{servers['archive_prefix']}*?expand_wildcards=all")
    for words in (("archive", "setup"), ("archive", "rebuild")):
        done = moodwire(tmp_path, *words, "-n", NAMESPACE, **servers)
        assert done.returncode == 0, done.stderr
    same_after_a_refresh(tmp_path, servers, want)


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


def test_a_lost_embedded_broker_is_made_again_from_the_archive(
    feed: Path, undisturbed: Outcome, tmp_path: Path
) -> None:
    """The way that the error names: what was archived is counted again, then the news come once more from the start."""
    with replaying(tmp_path, feed) as process:
        until_archived(process, tmp_path, START_LINES // 2)
    for file in (tmp_path / NAMESPACE).glob("broker.db*"):
        file.rename(tmp_path / file.name)
    rebuilt = moodwire(tmp_path, "archive", "rebuild-state", "-n", NAMESPACE)
    assert rebuilt.returncode == 0, rebuilt.stderr
    replay(tmp_path, feed, NAMESPACE)
    got = outcome(tmp_path, NAMESPACE)
    assert (got.items, got.rows, got.alerts) == (undisturbed.items, undisturbed.rows, undisturbed.alerts)
    assert got.rejects == undisturbed.rejects
    assert (got.stats.items, got.stats.revisions) == (undisturbed.stats.items, undisturbed.stats.revisions)
