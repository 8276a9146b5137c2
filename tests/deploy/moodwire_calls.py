"""What the files of deploy/ say to moodwire itself, judged by moodwire: commands by its parser, settings by theirs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.settings import Settings, load_settings

__all__ = ["check_command", "settings_from"]


def check_command(words: Sequence[str]) -> None:
    """Fails the test when `moodwire WORDS` would be a wrong call: the parser reads all words, then shows the help."""
    said = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert said.exit_code == 0, f"moodwire {' '.join(words)}: {said.output}"


def settings_from(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a container with these variables would have; raises SettingsError as it would."""
    for name in [name for name in os.environ if name.startswith("MOODWIRE_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        if name.startswith("MOODWIRE_"):
            monkeypatch.setenv(name, value)
    return load_settings()
