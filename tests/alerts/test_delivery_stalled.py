"""A terminal or a disk that takes nothing costs its own channel, never the loop, and never the end of the process."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from rich.console import Console

from alerts.delivery import Channel, Delivered, FileChannel, Notification, RetryLater, TerminalChannel
from alerts.delivery.aside import Aside
from tests.alerts.delivery_event import NOW_MS, delivery_event

_DEADLINE_SECONDS = 0.05
_PATIENCE_SECONDS = 30.0


@contextmanager
def _full_pipe() -> Iterator[tuple[int, IO[str]]]:
    """A pipe of which one byte more would block, and the file that writes to it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "w", encoding="utf-8") as file:
        try:
            while True:
                os.write(writing, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(writing, True)
        yield reading, file


async def _delivered(channel: Channel, name: str) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while await channel.notify(Notification(delivery_event(name), 2), NOW_MS) != Delivered():
            pass


def _read_until(descriptor: int, words: bytes) -> bytes:
    read = b""
    while words not in read:
        read += os.read(descriptor, 65_536)
    return read


async def test_a_terminal_that_does_not_read_backs_off_and_prints_once_when_it_reads_again() -> None:
    with _full_pipe() as (reading, file):
        channel = TerminalChannel(Console(file=file, width=200), deadline_seconds=_DEADLINE_SECONDS)
        for name in ("first", "second", "first"):
            answer = await channel.notify(Notification(delivery_event(name)), NOW_MS)
            assert isinstance(answer, RetryLater)
            assert answer.down
            assert "took nothing" in answer.problem
        reader = asyncio.create_task(asyncio.to_thread(_read_until, reading, b"THE END"))
        await _delivered(channel, "first")
        await _delivered(channel, "second")
        os.write(file.fileno(), b"THE END")
        text = (await reader).decode().lstrip("x")
        os.close(reading)
    printed = [line for line in text.splitlines() if "UTC" in line]
    assert len(printed) == 2, "what was being printed at its deadline is not printed again"


async def test_a_terminal_that_is_gone_is_a_retry_and_does_not_end_the_process() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as file:
        channel = TerminalChannel(Console(file=file))
        answer = await channel.notify(Notification(delivery_event("a")), NOW_MS)
    assert isinstance(answer, RetryLater)
    assert answer.down
    assert "Broken pipe" in answer.problem


async def test_a_program_that_ends_inside_rich_ends_no_loop() -> None:
    class Gone(Console):
        def out(self, *objects: object, **options: object) -> None:
            raise SystemExit(1)

    answer = await TerminalChannel(Gone(file=io.StringIO())).notify(Notification(delivery_event("a")), NOW_MS)
    assert isinstance(answer, RetryLater)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
async def test_a_pipe_for_the_alerts_file_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "alerts.pipe"
    os.mkfifo(path)
    answer = await FileChannel(path).notify(Notification(delivery_event("a")), NOW_MS)
    assert isinstance(answer, RetryLater)
    assert f"cannot write the alerts file {path}: it is a pipe" in answer.problem


async def test_a_disk_that_hangs_backs_off_and_its_line_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (released.wait(_PATIENCE_SECONDS), fsync(number)))
    channel = FileChannel(tmp_path / "alerts.ndjson", deadline_seconds=_DEADLINE_SECONDS)
    answer = await channel.notify(Notification(delivery_event("a")), NOW_MS)
    assert isinstance(answer, RetryLater)
    assert "the disk took nothing" in answer.problem
    released.set()
    await _delivered(channel, "a")
    assert len((tmp_path / "alerts.ndjson").read_text(encoding="utf-8").splitlines()) == 1


async def test_work_that_could_not_begin_in_time_is_not_begun_later() -> None:
    aside, released, done = Aside("test"), threading.Event(), list[str]()
    for work in (lambda: released.wait(_PATIENCE_SECONDS), lambda: done.append("too late")):
        with pytest.raises(TimeoutError):
            await aside.call(work, _DEADLINE_SECONDS)
    released.set()
    await aside.call(lambda: done.append("in time"), _PATIENCE_SECONDS)
    assert done == ["in time"]


_STUCK = """
import asyncio, os, sys
from rich.console import Console
from alerts.delivery import Notification, TerminalChannel
from tests.alerts.delivery_event import delivery_event

os.set_blocking(1, False)
try:
    while True:
        os.write(1, b"x" * 4096)
except BlockingIOError:
    os.set_blocking(1, True)
answer = asyncio.run(TerminalChannel(deadline_seconds=0.05).notify(Notification(delivery_event("a")), 0))
print(type(answer).__name__, file=sys.stderr)
"""


def test_a_write_that_never_returns_holds_no_exit() -> None:
    program = subprocess.Popen([sys.executable, "-c", _STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.stderr is not None
    assert program.wait(_PATIENCE_SECONDS) == 0
    assert program.stderr.read() == b"RetryLater\n"
    program.communicate()
