"""The NDJSON file: each notification once, whatever crashes in between."""

from __future__ import annotations

import json
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
