"""The NDJSON file: each notification once, whatever crashes in between."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from alerts import AlertEvent
from alerts.delivery import Delivered, FileChannel, Notification, RetryLater
from tests.alerts.delivery_event import NOW_MS, delivery_event


def lines(path: Path) -> list[str]:
    return [json.loads(line)["notification"] for line in path.read_text(encoding="utf-8").splitlines()]


async def test_each_notification_is_one_line_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "made" / "alerts.ndjson"
    for _ in range(2):
        channel = FileChannel(path)
        for wanted in (delivery_event("a"), delivery_event("a", 2), delivery_event("b"), delivery_event("a")):
            assert await channel.notify(Notification(wanted), NOW_MS) == Delivered()
    assert lines(path) == ["a.1", "a.2", "b.1"]
    written = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert written["sent_ms"] == NOW_MS
    assert AlertEvent.from_json(json.dumps(written["alert"]).encode()) == delivery_event("a")


@pytest.mark.parametrize("kept", [1, 40, 200])
async def test_a_line_that_a_crash_cut_short_is_written_again(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "alerts.ndjson"
    await FileChannel(path).notify(Notification(delivery_event("a")), NOW_MS)
    whole = path.read_bytes()
    path.write_bytes(whole + whole.replace(b'"a.1"', b'"b.1"')[:kept])
    channel = FileChannel(path)
    for wanted in (delivery_event("a"), delivery_event("b")):
        assert await channel.notify(Notification(wanted), NOW_MS) == Delivered()
    assert lines(path) == ["a.1", "b.1"]


async def test_lines_of_other_programs_stay(tmp_path: Path) -> None:
    path = tmp_path / "alerts.ndjson"
    path.write_bytes(b'not json\n{"other": 1}\n')
    await FileChannel(path).notify(Notification(delivery_event("a")), NOW_MS)
    assert path.read_bytes().startswith(b'not json\n{"other": 1}\n')
    assert path.read_bytes().count(b"\n") == 3


async def test_a_disk_that_refuses_is_a_retry_and_the_line_comes_later(tmp_path: Path) -> None:
    blocker = tmp_path / "folder"
    blocker.write_text("a file where a folder is needed", encoding="utf-8")
    channel = FileChannel(blocker / "alerts.ndjson")
    answer = await channel.notify(Notification(delivery_event("a")), NOW_MS)
    assert isinstance(answer, RetryLater)
    assert answer.after_seconds >= 5
    assert "cannot write" in answer.problem
    blocker.unlink()
    assert await channel.notify(Notification(delivery_event("a"), attempt=2), NOW_MS) == Delivered()
    assert lines(blocker / "alerts.ndjson") == ["a.1"]


FULL_DISK = """
import asyncio, json, resource, signal, sys
from pathlib import Path
from alerts.delivery import FileChannel, Notification
from tests.alerts.delivery_event import NOW_MS, delivery_event

async def scene(path, spare_bytes):
    channel, names = FileChannel(path), [delivery_event(f"r{number}") for number in range(12)]
    await channel.notify(Notification(names[0]), NOW_MS)
    limit = path.stat().st_size * 5 + spare_bytes
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    full = [type(await channel.notify(Notification(name), NOW_MS)).__name__ for name in names]
    held = path.read_bytes().decode()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    later = [type(await channel.notify(Notification(name, attempt=2), NOW_MS)).__name__ for name in names]
    print(json.dumps([full, held, later]))

asyncio.run(scene(Path(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size")
@pytest.mark.parametrize("spare_bytes", [1, 100, 300])
def test_nothing_is_delivered_that_a_full_disk_cut_short(tmp_path: Path, spare_bytes: int) -> None:
    path = tmp_path / "alerts.ndjson"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), str(spare_bytes)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=120,
    )
    full, held, later = json.loads(done.stdout)
    delivered = [f"r{number}.1" for number, answer in enumerate(full) if answer == "Delivered"]
    assert "RetryLater" in full
    assert held.endswith("\n")
    assert [json.loads(line)["notification"] for line in held.splitlines()] == delivered
    assert set(later) == {"Delivered"}
    assert sorted(lines(path)) == sorted(f"r{number}.1" for number in range(12))


async def test_a_line_whose_sync_fails_is_not_delivered_and_comes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "alerts.ndjson"
    channel = FileChannel(path)
    await channel.notify(Notification(delivery_event("a")), NOW_MS)
    before = path.read_bytes()

    def fails(number: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        for attempt in (1, 2):  # also not because a line is found that is not known to be on the disk
            answer = await channel.notify(Notification(delivery_event("b"), attempt=attempt), NOW_MS)
            assert isinstance(answer, RetryLater)
    assert path.read_bytes() == before
    assert await channel.notify(Notification(delivery_event("b"), attempt=3), NOW_MS) == Delivered()
    assert lines(path) == ["a.1", "b.1"]
