"""`moodwire run` with standard streams that nobody reads, or that are gone: it works on, and SIGTERM ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

_PATIENCE_SECONDS = 90.0
FEEDS = 'feeds:\n  - {name: dead, url: "http://127.0.0.1:1/rss", interval_seconds: 10}\n'


def _full() -> tuple[int, int]:
    """A pipe that takes the start line and little more, and both its ends."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    os.read(reading, 4096)
    return reading, writing


def _gone() -> tuple[int, int]:
    """A pipe whose reader reads the first line and ends."""
    return os.pipe()


@pytest.mark.parametrize("make", [_full, _gone], ids=["full", "gone"])
def test_a_terminal_that_does_not_read_costs_its_own_channel_alone(
    make: Callable[[], tuple[int, int]], tmp_path: Path
) -> None:
    (tmp_path / "feeds.yaml").write_text(FEEDS, encoding="utf-8")
    alerts = tmp_path / "alerts.ndjson"
    environment = os.environ | {
        "MOODWIRE_DATA_DIR": str(tmp_path / "data"), "MOODWIRE_FEEDS": str(tmp_path / "feeds.yaml"),
        "MOODWIRE_TROUBLE_AFTER_SECONDS": "1", "MOODWIRE_ALERTS_FILE": str(alerts), "MOODWIRE_HTTP_PORT": "0",
        "MOODWIRE_LOG_LEVEL": "DEBUG",
    }  # fmt: skip
    out, errors = make(), _full()
    command = [sys.executable, "-m", "moodwire", "run", "-n", "stalled"]
    worker = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=out[1], stderr=errors[1])
    try:
        if make is _gone:
            assert os.read(out[0], 1)
            os.close(out[0])
        _wait_for(lambda: alerts.exists() and b"\n" in alerts.read_bytes(), worker)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(_PATIENCE_SECONDS) == 0
    finally:
        worker.kill()
        worker.wait()


def _wait_for(happened: Callable[[], bool], worker: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not happened():
        assert worker.poll() is None, "it ended"
        assert time.monotonic() < until, "the other channels wait too"
        time.sleep(0.1)
