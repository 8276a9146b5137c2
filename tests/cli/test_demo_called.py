"""How the demo says that its commands are called: by their name where the shell finds it, else by their path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streams.cli.demo import how_called


def test_a_program_that_the_shell_does_not_find_is_named_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / ".venv" / "bin" / "moodwire"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(program), "demo"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert how_called() == ".venv/bin/moodwire"
    other = tmp_path / "other" / "moodwire"
    other.parent.mkdir()
    other.touch(mode=0o700)
    monkeypatch.setenv("PATH", str(other.parent))
    assert how_called() == ".venv/bin/moodwire"
    monkeypatch.setenv("PATH", str(program.parent))
    assert how_called() == "moodwire"
