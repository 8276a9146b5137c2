"""The command line of training: its words, and its refusals."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.model import app
from streams.errors import MoodwireError

RUNNER = CliRunner()
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["train"], ["run the same command again to resume", "--freeze-layers", "--dataset", "--precision"]),
        (["distil"], ["The teachers", "--teacher", "--swap-names", "--temperature"]),
        (["pretrain"], ["learns to predict them", "--encoder OUT", "[default: 0.0002]"]),
        (["tune"], ["poor ones stop early", "--trials"]),
        (["topics", "add"], ["8 to 32 texts", "--examples", "--description"]),
    ],
)
def test_help_says_what_a_command_does(command: list[str], words: list[str]) -> None:
    shown = RUNNER.invoke(app, [*command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    assert [word for word in words if word not in shown] == []


def test_a_topic_needs_examples_or_a_description(tmp_path: Path) -> None:
    asked = RUNNER.invoke(app, ["topics", "add", "Cyber", "--run", str(tmp_path), "--data", str(tmp_path)])
    assert isinstance(asked.exception, MoodwireError)
    assert str(asked.exception) == "give either --examples or --description"


def test_a_wrong_decay_is_said_before_anything_is_read(tmp_path: Path) -> None:
    asked = RUNNER.invoke(app, ["train", "--data", str(tmp_path), "--out", str(tmp_path), "--decay", "square"])
    assert isinstance(asked.exception, MoodwireError)
    assert "--decay is 'square'; it must be one of linear, cosine" in str(asked.exception)


def test_the_modules_that_commands_ask_for_exist() -> None:
    """They are named in strings, which neither mypy nor the import contracts read."""
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "streams").rglob("*.py"))
    named = set(re.findall(r"import_training\(\"([\w.]+)\"\)", sources))
    assert len(named) > 5
    for name in sorted(named):
        assert find_spec(f"models.training.{name}") is not None, name
