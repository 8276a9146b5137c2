"""Standard streams that are closed or full end a command with one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = f"{sys.executable} -m moodwire score"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("'Shares plunge' >&-", "standard output is closed"),
        ("--json 'Shares plunge' >/dev/full", "cannot write the output: No space left on device"),
        ("'Shares plunge' >/dev/full", "cannot write the output: No space left on device"),
        ("- <&-", "standard input is closed"),
    ],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is full")
def test_a_closed_or_full_stream_is_one_line(call: str, words: str, tmp_path: Path) -> None:
    done = subprocess.run(["/bin/sh", "-c", f"{COMMAND} {call}"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
