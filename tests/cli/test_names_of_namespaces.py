"""A namespace's name is checked before anything is made: it becomes a folder's name and a part of topics' names."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.errors import SettingsError
from streams.settings import load_settings
from tests.cli.test_asking_creates_nothing import ASKING, nowhere

__all__ = ["nowhere"]

UNUSABLE = ("../../evil", "..", "", "UPPER", "a b", "é", "-x", "_x", "demo/x", "a\n", "a" * 62, "a" * 100_000)
TAKING = sorted({command for command, words in ASKING.items() if "-n" in words} | {"run", "backup"})


def refused(*arguments: str) -> str:
    """What is said of a call whose words are wrong."""
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "1000", "TERM": "dumb"})
    assert result.exit_code == 2, result.output + repr(result.exception)
    return result.output


@pytest.mark.parametrize("name", UNUSABLE)
def test_run_refuses_an_unusable_name_and_makes_nothing(nowhere: Path, name: str) -> None:
    folder = nowhere / "here"
    folder.mkdir()
    said = refused("run", "-n", name)
    assert "is not usable: take 1 to 61 lower-case letters" in said
    assert "moodwire runs" not in said
    assert list(nowhere.rglob("*")) == [folder]


@pytest.mark.parametrize("command", TAKING)
def test_every_command_refuses_it(nowhere: Path, command: str) -> None:
    words = [word for word in ASKING.get(command, ("b",) if command == "backup" else ()) if word not in {"-n", "typo"}]
    assert "is not usable" in refused(*command.split(), *words, "-n", "../../evil")
    assert list(nowhere.rglob("*")) == []


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_replay_refuses_it(nowhere: Path, name: str) -> None:
    file = nowhere / "news.ndjson"
    file.write_text('{"title": "Lender collapses", "published": "2024-05-01T00:00:00Z"}\n')
    assert "is not usable" in refused("replay", str(file), "--into", name)
    assert list(nowhere.iterdir()) == [file]


@pytest.mark.parametrize("name", [name for name in UNUSABLE if name])  # an empty variable is one that is not set
def test_the_environment_s_name_is_refused_by_its_variable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("MOODWIRE_NAMESPACE", name)
    with pytest.raises(SettingsError, match="MOODWIRE_NAMESPACE"):
        load_settings()


@pytest.mark.parametrize("prefix", ["../", "a b", "é.", "a/b", "a" * 101, "a\n"])
def test_an_unusable_prefix_is_refused(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setenv("MOODWIRE_PREFIX", prefix)
    with pytest.raises(SettingsError, match="MOODWIRE_PREFIX"):
        load_settings()
