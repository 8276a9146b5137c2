"""Documents made of the settings are those that the code would make now."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.settings import Settings
from streams.settings.documents import env_example, settings_table, with_block
from streams.settings.wanted import wanted
from tests.conftest import ROOT

README = ROOT / "README.md"
EXAMPLE = ROOT / "deploy" / "moodwire.env.example"
COMPOSE = ROOT / "deploy" / "compose.yaml"


def test_the_table_of_the_readme_is_up_to_date() -> None:
    text = README.read_text(encoding="utf-8")
    assert with_block(text, settings_table()) == text, "run `make settings`"


def test_the_example_of_compose_s_variables_is_up_to_date() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert with_block(text, env_example(COMPOSE.read_text(encoding="utf-8"))) == text, "run `make settings`"


def test_the_table_is_the_same_on_every_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = settings_table()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert settings_table() == before
    assert all(f"`MOODWIRE_{name.upper()}`" in before for name in Settings.model_fields)


def test_a_text_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no lines"):
        with_block("# a text", "block")


@pytest.mark.parametrize(
    ("name", "takes"),
    [
        ("partitions", "a whole number from 1 to 1024"),
        ("hold_items", "a whole number of at least 10,000"),
        ("retention_hours", "a number above 0 to 876,600"),
        ("drain_seconds", "a number above 0 to 300"),
        ("archive_verify", "true or false"),
        ("device", "cpu or gpu"),
        ("feeds", "a path"),
        ("webhook_secret", "a text"),
    ],
)
def test_what_a_setting_takes_is_said_in_words(name: str, takes: str) -> None:
    assert wanted(Settings.model_fields[name]) == takes
